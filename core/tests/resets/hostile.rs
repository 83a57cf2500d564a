//! Segments that no host would send, at times that no clock would show.

use resetscope_core::engine::{Config, Engine};
use resetscope_core::interval::Ledger;
use resetscope_core::judge::note::Note;
use resetscope_core::segment::RstTexts;

use crate::play::settled;
use crate::traffic::{Random, hostile, packets};

#[test]
fn three_hundred_thousand_hostile_segments_are_judged_and_accounted_for() {
    for seed in 0..60 {
        let mut random = Random(seed);
        let config = Config { flows: 1024, ..Config::default() };
        let mut engine = Engine::new(&config, 0, 1).unwrap();
        let (mut judged, mut sightings) = (vec![], vec![]);
        let mut texts = RstTexts::new(4);
        let _ = texts.keep(b"BIG-IP: [0x1:2] No flow found");
        let mut frame = 0;
        while frame < 5_000 {
            let segments: Vec<_> = (0..random.below(200))
                .map(|_| {
                    frame += 1;
                    hostile(&mut random, frame)
                })
                .collect();
            engine.count_frames(&Ledger { received: segments.len() as u64, ..Ledger::default() });
            engine.process(&segments, &texts);
            if random.below(4) == 0 {
                engine.advance(random.next() >> random.below(64));
            }
            judged.extend(engine.drain_events());
            sightings.extend(engine.drain_sightings());
        }
        engine.finish();
        judged.extend(engine.drain_events());
        let interval = engine.take_interval();
        assert!(interval.frames.balances(), "seed {seed}");
        assert_eq!(interval.resets.unlisted, 0, "seed {seed}: the ring is bounded");
        assert_eq!(packets(&judged), interval.resets.packets, "seed {seed}");
        assert_eq!(engine.oldest_open_frame(), None, "seed {seed}: all is judged");
        for event in settled(judged, sightings) {
            let note = Note(&event).to_string();
            assert!(note.ends_with(['.', ':']) || note.ends_with("tcpkill."), "{note}");
        }
    }
}
