//! One story, or a few, for each sub-cause that the rules can give; and stories that must never
//! lead to a certain one.

mod absent;
mod application;
mod benign;
mod firewall;
mod guards;
mod kill;
mod lookalikes;
mod network;
mod unknown;

use resetscope_core::judge::cause::Cause;
use resetscope_core::judge::event::Event;

use crate::conversation::Tape;
use crate::distort::{copies, overtaken};
use crate::play::{PLAIN, Variant, play};

/// A story and the events that it is to give, in the order of their frames.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) want: &'static [Want],
    pub(crate) story: fn(&mut Tape),
}

/// The sub-causes that are right for an event, and the confidence that the packets justify at least.
pub(crate) struct Want(pub(crate) &'static [&'static str], pub(crate) u8);

/// The highest honest confidence from a passive tap, in percent: anybody can write any packet, and
/// the lab speaks for one family of stacks only.
const CAP: u8 = 98;

/// Where it is lower, because two sub-causes leave the same bytes.
const CAPS: [(&str, u8); 1] = [("1.2", 60)];

/// The packets of a story.
pub(crate) fn tape_of(story: fn(&mut Tape)) -> Tape {
    let mut tape = Tape::new();
    story(&mut tape);
    tape
}

/// Plays every case in every variant; all that is wrong is shown together.
fn check(cases: &[Case]) {
    let wrong: Vec<String> = cases.iter().filter_map(|case| wrong_in(case).err()).collect();
    assert!(wrong.is_empty(), "\n{}", wrong.join("\n"));
}

fn wrong_in(case: &Case) -> Result<(), String> {
    let tape = tape_of(case.story);
    let plain = play(&tape, &PLAIN).events;
    let shown: Vec<_> = plain.iter().map(summary).collect();
    let of = |what: String| format!("{}: {what}", case.name);
    if plain.len() != case.want.len() {
        return Err(of(format!("{} events expected, got {shown:?}", case.want.len())));
    }
    for (event, want) in plain.iter().zip(case.want) {
        expect(event, want).map_err(of)?;
    }
    for variant in variants() {
        let events = play(&tape, &variant).events;
        let got: Vec<_> = events.iter().map(summary).collect();
        if !variant.v6 {
            if got != shown {
                return Err(of(format!("{variant:x?} gives\n  {got:?}, else\n  {shown:?}")));
            }
            continue;
        }
        if events.len() != case.want.len() {
            return Err(of(format!("IPv6 gives {got:?}")));
        }
        // IPv6 has neither identification nor DF, so it may be less certain.
        for (event, want) in events.iter().zip(case.want) {
            expect(event, &Want(want.0, want.1.saturating_sub(15))).map_err(of)?;
        }
    }
    distorted(&tape, &plain).map_err(of)
}

/// Packets that the capture holds several times change no cause and are no retransmissions;
/// packets around the reset in another order accuse nobody.
fn distorted(tape: &Tape, plain: &[Event]) -> Result<(), String> {
    let essence = |event: &Event, times: u32| {
        (
            event.verdict.claim.subcause.id(),
            event.packets / times,
            event.history.as_str().to_owned(),
        )
    };
    let want: Vec<_> = plain.iter().map(|event| essence(event, 1)).collect();
    for (times, hops) in [(2, false), (3, false), (4, false), (2, true), (3, true)] {
        let events = play(&copies(tape, times, hops), &PLAIN).events;
        let got: Vec<_> = events.iter().map(|event| essence(event, times.into())).collect();
        if got != want {
            return Err(format!("{times} copies, hops {hops}: {got:?}, else {want:?}"));
        }
    }
    let foreign = |event: &Event| event.verdict.claim.subcause.cause() == Cause::Firewall;
    let forged = ["6.2", "6.3", "6.4"];
    if plain.iter().any(|event| foreign(event) || forged.contains(&summary(event).0)) {
        return Ok(());
    }
    for over in 1..4 {
        let Some(tape) = overtaken(tape, over) else { continue };
        if let Some(event) = play(&tape, &PLAIN).events.iter().find(|event| foreign(event)) {
            return Err(format!("the reset overtakes {over}: {:?}", summary(event)));
        }
    }
    Ok(())
}

/// Sequence numbers that wrap at every place of a story, the ends in the other order, IPv6, time
/// from 0 and in the far future.
fn variants() -> Vec<Variant> {
    let wraps = [0, 1, 2, 300, 301, 302, 700, 1_201, 1_202, 1_500, 5_000];
    let mut variants: Vec<_> = wraps
        .iter()
        .flat_map(|&before| {
            let low = 0u32.wrapping_sub(before);
            [[low, PLAIN.isn[1]], [PLAIN.isn[0], low], [low, low]]
        })
        .map(|isn| Variant { isn, ..PLAIN })
        .collect();
    variants.push(Variant { isn: [0x7fff_fffe, 0x8000_0000], ..PLAIN });
    variants.push(Variant { isn: [0xc000_0000, 0xfff0_0000], ..PLAIN });
    for swapped in [false, true] {
        variants.push(Variant { swapped, ..PLAIN });
        variants.push(Variant { swapped, v6: true, ..PLAIN });
        variants.push(Variant { swapped, start_ns: 0, ..PLAIN });
        // The 40-bit clock of the records wraps within the story.
        variants.push(Variant { swapped, start_ns: (1 << 40) * 1_000 - 3_000_000, ..PLAIN });
        variants.push(Variant { swapped, start_ns: u64::MAX / 2, ..PLAIN });
    }
    variants
}

fn expect(event: &Event, Want(ids, least): &Want) -> Result<(), String> {
    let claim = event.verdict.claim;
    let (id, percent) = (claim.subcause.id(), claim.percent);
    let cap = CAPS.iter().find(|(of, _)| *of == id).map_or(CAP, |(_, cap)| *cap);
    let others = event.verdict.alternatives.iter().flatten();
    let sum = others.map(|claim| u32::from(claim.percent)).sum::<u32>() + u32::from(percent);
    let wrong = if !ids.contains(&id) {
        format!("want {ids:?}")
    } else if percent < *least {
        format!("want {least} % at least")
    } else if percent > cap {
        format!("more than {cap} % is not honest")
    } else if sum > 100 {
        format!("claims add up to {sum} %")
    } else {
        return Ok(());
    };
    Err(format!("{wrong}, got {:?}", summary(event)))
}

/// What must not depend on the variant.
type Summary =
    (&'static str, u8, Vec<(&'static str, u8)>, u32, &'static str, &'static str, String, bool);

fn summary(event: &Event) -> Summary {
    let others = event.verdict.alternatives.iter().flatten();
    (
        event.verdict.claim.subcause.id(),
        event.verdict.claim.percent,
        others.map(|claim| (claim.subcause.id(), claim.percent)).collect(),
        event.packets,
        event.stage.name(),
        event.conn_state.name(),
        event.history.as_str().to_owned(),
        event.initiator == Some(event.side),
    )
}
