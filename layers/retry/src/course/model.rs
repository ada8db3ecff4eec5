//! The course of a call, and the tokens of its service, against gRFC A6 read word by word.
//!
//! The model keeps all that ever happened and works out each answer from the beginning.

use super::*;
use crate::{Budget, Rules};
use std::num::NonZeroU32;
use ziggurat_core::{Backoff, Code, Jitter, clock};

const SCRIPTS: u64 = 100_000;
const CODES: [Code; 4] = [
    Code::Unavailable,
    Code::ResourceExhausted,
    Code::Aborted,
    Code::Internal,
];
const KINDS: [Kind; 7] = [
    Kind::Decided,
    Kind::Unsent,
    Kind::Unprocessed,
    Kind::Answered,
    Kind::Lost,
    Kind::TimedOut,
    Kind::Wanted,
];

/// What a call is given, in plain numbers: milliseconds, thousandths of a token.
#[derive(Debug)]
struct Script {
    attempts: u32,
    initial: u64,
    factor: u64,
    max: u64,
    jitter: bool,
    listed: Vec<Code>,
    idempotent: bool,
    once: bool,
    deadline: Option<u64>,
}

/// One failure that another attempt followed.
#[derive(Debug)]
struct Past {
    kind: Kind,
    transparent: bool,
    pushed: bool,
}

#[derive(Debug)]
struct Tokens {
    max: u64,
    ratio: u64,
    left: u64,
}

/// What the model expects: a wait in milliseconds, and whether it costs no attempt.
#[derive(Debug, PartialEq)]
enum Expected {
    Wait(u64, bool),
    Stop(Stop),
    Throttled,
}

// === impl Script ===

impl Script {
    fn draw(dice: &Dice) -> Self {
        let initial = 1 + dice.below(200) as u64;
        let deadline = 1 + dice.below(4_000) as u64;
        let one = CODES[dice.below(CODES.len())];
        let listed = CODES
            .into_iter()
            .filter(|&code| code == one || dice.below(3) == 0);
        // What chance decides cannot be told to the millisecond.
        let jitter = dice.below(4) == 0;
        Self {
            attempts: 1 + dice.below(7) as u32,
            initial,
            factor: 1 + dice.below(3) as u64,
            max: initial + dice.below(1_000) as u64,
            jitter,
            listed: listed.collect(),
            idempotent: dice.below(2) == 0,
            once: dice.below(8) == 0,
            deadline: (!jitter && dice.below(2) == 0).then_some(deadline),
        }
    }

    fn settings(&self) -> Settings {
        let millis = Duration::from_millis;
        let backoff = Backoff::new(millis(self.initial), self.factor as f64, millis(self.max));
        let backoff = match self.jitter {
            true => backoff.unwrap().spread(Jitter::Proportional),
            false => backoff.unwrap().jitter(0.0).unwrap(),
        };
        let settings = Settings::new().backoff(backoff);
        let settings = settings.attempts(NonZeroU32::new(self.attempts).unwrap());
        settings.retry_on(self.listed.iter().copied()).unwrap()
    }

    fn course(&self, start: Instant) -> Course {
        let deadline = self.deadline.map(Duration::from_millis);
        let wanted = Wanted {
            deadline: deadline.map(|deadline| Deadline::after_from(deadline, start)),
            idempotent: self.idempotent,
            once: self.once,
            ..Wanted::default()
        };
        Course::new(self.settings(), wanted, Some(start))
    }

    /// The `n`th computed delay: multiplied out, one by one.
    fn delay(&self, n: usize) -> u64 {
        (1..n)
            .fold(self.initial, |delay, _| (delay * self.factor).min(self.max))
            .min(self.max)
    }

    fn is_transparent(&self, past: &[Past], kind: Kind) -> bool {
        let before = |kind| past.iter().filter(|past| past.kind == kind).count();
        match kind {
            Kind::Unsent => true,
            Kind::Unprocessed => before(Kind::Unprocessed) == 0,
            _ => false,
        }
    }

    fn is_retryable(&self, failure: &Failure) -> bool {
        let listed = self.listed.contains(&failure.code);
        match failure.kind {
            Kind::Decided | Kind::Unsent | Kind::Unwanted => false,
            Kind::Unprocessed => listed,
            Kind::Answered if failure.code == Code::ResourceExhausted => {
                listed || failure.pushback.is_some()
            }
            Kind::Answered => listed,
            Kind::Lost => self.idempotent && listed,
            Kind::TimedOut => self.idempotent,
            Kind::Wanted => true,
        }
    }

    fn expected(&self, past: &[Past], failure: &Failure, now: u64, tokens: &Tokens) -> Expected {
        let pushed = match failure.pushback {
            Some(Pushback::Never) => return Expected::Stop(Stop::Final),
            Some(Pushback::After(wait)) => Some(wait.as_millis() as u64),
            None => None,
        };
        let transparent = self.is_transparent(past, failure.kind);
        let millis = if transparent {
            let before = past.iter().filter(|past| past.kind == Kind::Unsent).count();
            if failure.kind == Kind::Unsent && self.deadline.is_none() && before == 10 {
                return Expected::Stop(Stop::Exhausted);
            }
            let own = match (failure.kind, before) {
                (Kind::Unsent, 1..) => self.delay(before),
                _ => 0,
            };
            own.max(pushed.unwrap_or(0))
        } else {
            let attempts = 1 + past.iter().filter(|past| !past.transparent).count();
            if !self.is_retryable(failure) {
                return Expected::Stop(Stop::Final);
            }
            if self.once {
                return Expected::Stop(Stop::Chained);
            }
            if attempts >= self.attempts.min(5) as usize {
                return Expected::Stop(Stop::Exhausted);
            }
            let paid = past.iter().rev().filter(|past| !past.transparent);
            let since = paid.take_while(|past| !past.pushed).count();
            pushed.unwrap_or_else(|| self.delay(since + 1))
        };
        let late = match self.deadline {
            Some(deadline) => now + millis >= deadline,
            None => pushed.is_some_and(|pushed| pushed > 60_000),
        };
        match (late, transparent) {
            (true, _) => Expected::Stop(Stop::OutOfTime),
            (false, false) if tokens.left * 2 <= tokens.max => Expected::Throttled,
            (false, _) => Expected::Wait(millis, transparent),
        }
    }
}

// === impl Tokens ===

impl Tokens {
    fn draw(dice: &Dice) -> Self {
        let max = 1_000 * (1 + dice.below(20) as u64);
        let ratio = 1 + dice.below(2_000) as u64;
        let left = max;
        Self { max, ratio, left }
    }

    fn rules(&self) -> Rules {
        Rules::throttling((self.max / 1_000) as u32, self.ratio as f64 / 1_000.0).unwrap()
    }
}

fn failure(dice: &Dice) -> Failure {
    let kind = KINDS[dice.below(KINDS.len())];
    let code = CODES[dice.below(CODES.len())];
    let wait = [0, 1, 333, 5_000, 60_000, 60_001, i32::MAX as u64][dice.below(7)];
    let pushback = match dice.below(8) {
        0 => Some(Pushback::Never),
        1 | 2 => Some(Pushback::After(Duration::from_millis(wait))),
        _ => None,
    };
    Failure {
        kind,
        code,
        pushback,
    }
}

/// Plays one call to its end; how many attempts there were.
fn play(dice: &Dice, tokens: &mut Tokens, budget: &Budget) -> u32 {
    let script = Script::draw(dice);
    let start = clock::now();
    let mut course = script.course(start);
    let (mut past, mut now) = (Vec::new(), 0);
    loop {
        if dice.below(12) == 0 {
            budget.succeeded(&tokens.rules());
            tokens.left = tokens.max.min(tokens.left + tokens.ratio);
            return course.number();
        }
        now += dice.below(300) as u64;
        let failure = failure(dice);
        let at = start + Duration::from_millis(now);
        let transparent = script.is_transparent(&past, failure.kind);
        let never = failure.pushback == Some(Pushback::Never);
        if !transparent && (never || script.is_retryable(&failure)) {
            tokens.left = tokens.left.saturating_sub(1_000);
        }
        if course.costs(&failure) {
            budget.failed(&tokens.rules());
        }
        let expected = script.expected(&past, &failure, now, tokens);
        let (after, paid) = match course.next(&failure, at, dice) {
            Next::Stop(stop) => {
                assert_eq!(
                    expected,
                    Expected::Stop(stop),
                    "{script:?} {past:?} {failure:?}"
                );
                return course.number();
            }
            Next::Again { after, paid, .. } => (after, paid),
        };
        if paid && budget.withdraw(&tokens.rules(), at).is_none() {
            assert_eq!(
                expected,
                Expected::Throttled,
                "{script:?} {past:?} {tokens:?}"
            );
            return course.number();
        }
        let Expected::Wait(millis, transparent) = expected else {
            panic!("{expected:?} and not {after:?}: {script:?} {past:?} {failure:?}");
        };
        assert_eq!(paid, !transparent, "{script:?} {past:?} {failure:?}");
        let share = if script.jitter { 0.2 } else { 0.0 };
        let exact = millis as f64 / 1_000.0;
        let pushed = matches!(failure.pushback, Some(Pushback::After(_)));
        let spread = (exact * (1.0 - share) - 1e-8)..=(exact * (1.0 + share) + 1e-8);
        // The jitter of what both the server and the backoff want may lift it above the server's.
        let fits = spread.contains(&after.as_secs_f64()) || pushed && transparent && share > 0.0;
        assert!(fits, "{after:?} {millis} {script:?} {past:?} {failure:?}");
        past.push(Past {
            kind: failure.kind,
            transparent,
            pushed,
        });
        let paid = past.iter().filter(|past| !past.transparent).count();
        assert_eq!(course.number() as usize, 1 + paid);
        now += after.as_millis() as u64;
    }
}

#[test]
fn every_call_goes_as_the_words_of_the_specification_have_it() {
    let seed = Dice::new().number();
    println!("seed {seed}");
    let dice = Dice::seeded(seed);
    let mut made = [0_u32; 6];
    let (mut tokens, mut budget) = (Tokens::draw(&dice), Budget::new());
    for script in 0..SCRIPTS {
        // Several calls to one service, then the next service.
        if script % 20 == 0 {
            (tokens, budget) = (Tokens::draw(&dice), Budget::new());
        }
        made[play(&dice, &mut tokens, &budget) as usize] += 1;
    }
    // The scripts reach every number of attempts.
    assert!(made[1..].iter().all(|made| *made > 50), "{made:?}");
}
