//! Several inputs are one tap: merged by time, cut at boundaries, opened when their time comes.

#![allow(clippy::unwrap_used, clippy::panic, reason = "in a test, both are its failure")]

mod capture_writer;

use capture_writer::{Flavour, Order, Seen, gzip, memory, pcap, pcapng, read_with, sample};
use proptest::prelude::*;
use resetscope::source::{Batch, Fill, Input, Options, SourceError, open};

/// One-byte frames at these times, marked with the number of their input.
fn frames(mark: u8, times: &[u64]) -> Vec<Seen> {
    times
        .iter()
        .map(|time_ns| Seen { time_ns: *time_ns, link: 1, wire_len: 1, bytes: vec![mark] })
        .collect()
}

/// What merging must give: among the heads of all inputs the earliest, the first input among
/// equals.
fn merge(inputs: &[Vec<Seen>]) -> Vec<Seen> {
    let mut heads = vec![0; inputs.len()];
    let mut out = Vec::new();
    loop {
        let next = (0..inputs.len())
            .filter_map(|i| inputs[i].get(heads[i]).map(|frame| (frame.time_ns, i)))
            .min();
        let Some((_, i)) = next else { return out };
        out.push(inputs[i][heads[i]].clone());
        heads[i] += 1;
    }
}

fn in_memory(inputs: &[Vec<Seen>]) -> Vec<Input> {
    inputs.iter().map(|frames| memory("m", &pcap(Order::Little, Flavour::Nano, frames))).collect()
}

#[test]
fn inputs_are_merged_by_time_with_equal_times_in_the_order_of_inputs() {
    let cases: [(&[&[u64]], &str); 6] = [
        (&[&[1, 3, 5], &[2, 4, 6]], "alternating"),
        (&[&[4, 5, 6], &[1, 2, 3]], "the second before the first"),
        (&[&[1, 2], &[1, 2], &[1, 2]], "all at once"),
        (&[&[5, 1, 9, 2], &[3, 4]], "times that run backwards keep their order"),
        (&[&[], &[7], &[]], "empty ones"),
        (&[&[2, 2, 2], &[1, 2, 3], &[2]], "many equal ones"),
    ];
    for (times, why) in cases {
        let inputs: Vec<_> = (0..).zip(times).map(|(i, times)| frames(i, times)).collect();
        for capacity in [1, 2, 100] {
            let found = read_with(in_memory(&inputs), &Options::default(), capacity).unwrap();
            assert_eq!(found.frames, merge(&inputs), "{why}, {capacity} a batch");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_inputs_merge_as_the_definition_says(
        times in proptest::collection::vec(proptest::collection::vec(0..40_u64, 0..20), 1..9),
        capacity in 1..50_usize,
        open_inputs_max in 0..9_usize,
    ) {
        let inputs: Vec<_> = (0..).zip(&times).map(|(i, times)| frames(i, times)).collect();
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<Input> = inputs.iter().enumerate().map(|(i, frames)| {
            let path = folder.path().join(i.to_string());
            let bytes = pcap(Order::Big, Flavour::Nano, frames);
            std::fs::write(&path, if i % 3 == 1 { gzip(&bytes) } else { bytes }).unwrap();
            path.into()
        }).collect();
        let options = Options { open_inputs_max, ..Options::default() };
        let found = read_with(paths, &options, capacity).unwrap();
        prop_assert_eq!(found.frames, merge(&inputs));
        prop_assert_eq!(found.progress.total, Some(found.progress.consumed));
    }

    #[test]
    fn boundaries_split_the_frames_without_losing_or_moving_any(
        times in proptest::collection::vec(proptest::collection::vec(0..1000_u64, 0..60), 1..5),
        step in 1..300_u64,
        capacity in 1..50_usize,
    ) {
        let inputs: Vec<_> = (0..).zip(&times).map(|(i, times)| frames(i, times)).collect();
        let mut source = open(in_memory(&inputs), &Options::default()).unwrap();
        let mut batch = Batch::new(capacity);
        let mut until = step;
        let mut found = Vec::new();
        loop {
            let head = source.peek_time();
            let fill = source.fill(&mut batch, until).unwrap();
            prop_assert_eq!(batch.first_number(), found.len() as u64 + 1);
            let first = batch.frame(0).map(|frame| frame.time_ns);
            match fill {
                Fill::Frames => {}
                Fill::End => prop_assert!(batch.is_empty() && head.is_none()),
                Fill::Boundary if batch.is_empty() => prop_assert!(head.unwrap() >= until),
                Fill::Boundary => {}
            }
            prop_assert!(first.is_none() || first == head);
            for frame in batch.frames() {
                prop_assert!(frame.time_ns < until);
                found.push(Seen {
                    time_ns: frame.time_ns,
                    link: frame.link.0,
                    wire_len: frame.wire_len,
                    bytes: frame.bytes.to_vec(),
                });
            }
            match fill {
                Fill::Frames => {}
                Fill::Boundary => until += step,
                Fill::End => break,
            }
        }
        prop_assert_eq!(found, merge(&inputs));
    }
}

#[test]
fn time_running_backwards_is_no_boundary() {
    let inputs = [frames(0, &[10, 20, 5, 30, 40])];
    let mut source = open(in_memory(&inputs), &Options::default()).unwrap();
    let mut batch = Batch::new(10);
    assert_eq!(source.peek_time(), Some(10));
    assert_eq!(source.fill(&mut batch, 30).unwrap(), Fill::Boundary);
    assert_eq!((batch.len(), source.peek_time()), (3, Some(30)));
    assert_eq!(source.fill(&mut batch, 30).unwrap(), Fill::Boundary);
    assert!(batch.is_empty());
    assert_eq!(source.fill(&mut batch, 31).unwrap(), Fill::Boundary);
    assert_eq!((batch.len(), batch.first_number()), (1, 4));
    assert_eq!(source.fill(&mut batch, 41).unwrap(), Fill::Frames);
    assert_eq!(batch.len(), 1);
    while source.fill(&mut batch, 41).unwrap() != Fill::End {
        assert!(batch.is_empty(), "there are no more");
    }
    assert_eq!(source.peek_time(), None);
}

#[test]
fn a_long_rotated_series_is_not_held_open() {
    let folder = tempfile::tempdir().unwrap();
    let want = sample(3000);
    let mut inputs: Vec<Input> = Vec::new();
    for (i, piece) in want.chunks(5).enumerate() {
        let path = folder.path().join(format!("{i:04}"));
        let bytes = pcapng(Order::Little, piece);
        std::fs::write(&path, if i % 50 == 0 { gzip(&bytes) } else { bytes }).unwrap();
        inputs.push(path.into());
    }
    // Named in the wrong order: time decides.
    inputs.reverse();
    let mut source = open(inputs, &Options::default()).unwrap();
    // The directory of descriptors is read through one of its own; other tests hold some, too.
    let open_now = || std::fs::read_dir("/proc/self/fd").unwrap().count();
    let mut batch = Batch::new(64);
    let mut times = Vec::new();
    while source.fill(&mut batch, u64::MAX).unwrap() != Fill::End {
        assert!(open_now() < 200, "{} descriptors are open", open_now());
        times.extend(batch.frames().map(|frame| frame.time_ns));
    }
    assert!(times.iter().copied().eq(want.iter().map(|frame| frame.time_ns)));
    let progress = source.progress();
    assert_eq!(Some(progress.consumed), progress.total);
}

#[test]
fn a_damaged_input_does_not_keep_the_others_from_being_read() {
    let whole = frames(1, &[1, 4, 7, 10]);
    let other = pcap(Order::Little, Flavour::Nano, &frames(2, &[2, 3, 8, 9]));
    // Cut within its third record.
    let cut = &other[..24 + 2 * 17 + 10];
    let broken_first = [&pcap(Order::Little, Flavour::Nano, &[])[..], &[0xff; 40]].concat();
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in [
        ("a", pcap(Order::Big, Flavour::Nano, &whole).as_slice()),
        ("b", cut),
        ("c", &broken_first),
    ] {
        std::fs::write(folder.path().join(name), bytes).unwrap();
    }
    for open_inputs_max in [0, 64] {
        let inputs = ["a", "b", "c"].map(|name| folder.path().join(name).into());
        let options = Options { open_inputs_max, ..Options::default() };
        let found = read_with(inputs, &options, 3).unwrap();
        let marks: Vec<u8> = found.frames.iter().map(|frame| frame.bytes[0]).collect();
        assert_eq!(marks, [1, 2, 2, 1, 1, 1]);
        let places: Vec<_> = found.damage.iter().map(|d| (d.path.clone(), d.offset)).collect();
        let place = |name: &str, offset| (folder.path().join(name), offset);
        assert_eq!(places, [place("c", 24), place("b", 24 + 2 * 17)]);
    }
}

#[test]
fn a_file_that_vanishes_before_its_turn_is_damage() {
    let folder = tempfile::tempdir().unwrap();
    let paths = ["a", "b", "c"].map(|name| folder.path().join(name));
    for (i, path) in (0..).zip(&paths) {
        let times = [u64::from(i) * 10 + 1, u64::from(i) * 10 + 2];
        std::fs::write(path, pcap(Order::Big, Flavour::Nano, &frames(i, &times))).unwrap();
    }
    let options = Options { open_inputs_max: 0, ..Options::default() };
    let inputs = paths.iter().map(|path| path.as_path().into());
    let mut source = open(inputs, &options).unwrap();
    std::fs::remove_file(&paths[1]).unwrap();
    let mut batch = Batch::new(10);
    assert_eq!(source.fill(&mut batch, u64::MAX).unwrap(), Fill::Frames);
    assert_eq!(batch.len(), 4);
    assert_eq!(source.fill(&mut batch, u64::MAX).unwrap(), Fill::End);
    let [damage] = source.damage() else { panic!("{:?}", source.damage()) };
    assert_eq!(damage.path, paths[1]);
    assert!(damage.what.contains("cannot now"), "{damage}");
}

#[test]
fn one_input_that_is_no_capture_is_named() {
    let good = || memory("good", &pcap(Order::Big, Flavour::Nano, &sample(3)));
    let error = open([good(), memory("bad", b"hello, world")], &Options::default()).err().unwrap();
    assert_eq!(
        error.to_string(),
        "bad is not a capture: it begins with 68 65 6c 6c 6f 2c 20 77 6f 72 6c 64 (\"hello, world\")"
    );
    let error = open([good(), Input::Path("/no/such".into())], &Options::default()).err().unwrap();
    assert_eq!(error.to_string(), "cannot open /no/such");
    assert!(matches!(open([], &Options::default()), Err(SourceError::NoInput)));
    let twice = [std::path::Path::new("-").into(), Input::Stdin];
    assert!(matches!(open(twice, &Options::default()), Err(SourceError::StdinTwice)));
}
