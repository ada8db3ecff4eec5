//! A channel over real sockets, beside its peers: `cargo bench --bench channel`.

use channel::{
    args::Args,
    report::{self, Course, Row},
    servers::{self, Servers},
    subject::{self, Problem, Subject},
    turn::turn,
};
use std::{path::Path, process::exit};
use ziggurat_benches::Count;

mod channel {
    pub(crate) mod args;
    pub(crate) mod bare_h2;
    #[path = "../layers/budgeted.rs"]
    pub(crate) mod budgeted;
    pub(crate) mod ladder;
    pub(crate) mod ours;
    pub(crate) mod peers;
    pub(crate) mod report;
    pub(crate) mod servers;
    pub(crate) mod subject;
    pub(crate) mod turn;
}

fn main() {
    let args = Args::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error}\n{}", Args::USAGE);
        exit(2)
    });
    let done = if args.serve {
        servers::serve()
    } else {
        measure(&args)
    };
    if let Err(error) = done {
        eprintln!("{error}");
        exit(1)
    }
}

fn measure(args: &Args) -> Result<(), Problem> {
    // Before this thread is pinned: the child would be pinned with it.
    let servers = Servers::start()?;
    let (runtime, _heartbeat) = ziggurat_benches::pinned(0)?;
    println!("{}", report::ABOUT);
    let rows = runtime.block_on(async {
        let mut subjects = subject::all(&servers, args.ladder).await?;
        subjects.retain(|subject| args.wants(subject.name));
        let mut rows = Vec::new();
        for &concurrency in &args.concurrency {
            let of_each = rounds(&subjects, concurrency, args).await?;
            let block = Row::block(concurrency, &of_each);
            report::print(&block);
            rows.extend(block);
        }
        Ok::<_, Problem>(rows)
    })?;

    // Cargo names a folder inside the target directory, wherever that is.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let file = file.join("channel.json");
    report::write(&rows, &file)?;
    println!("\nwritten to {}", file.display());
    Ok(())
}

/// The turns of each subject, one a round.
async fn rounds(
    subjects: &[Subject],
    concurrency: usize,
    args: &Args,
) -> Result<Vec<Course>, Problem> {
    let pace = args.pace();
    let mut courses = Vec::new();
    for subject in subjects {
        // Counted while nobody looks at the time.
        let count = Count::start();
        let warm_up = turn(subject, concurrency, pace.warm_up).await?;
        courses.push(Course {
            subject: subject.name,
            allocs: count.stop() as f64 / warm_up.calls as f64,
            turns: Vec::new(),
        });
    }
    for round in 0..pace.rounds {
        for nth in 0..subjects.len() {
            // Each begins a round as often as any other: none is always next to the same.
            let nth = (nth + round) % subjects.len();
            let turn = turn(&subjects[nth], concurrency, pace.length).await?;
            courses[nth].turns.push(turn);
        }
    }
    Ok(courses)
}
