//! How well endpoints are chosen, in virtual time: `cargo bench --bench balance`.

use balance::{args::Args, bounds, report, scenario, simulation, subject::Subject};
use std::{path::Path, process::exit};

mod balance {
    pub(crate) mod args;
    pub(crate) mod backend;
    pub(crate) mod bounds;
    pub(crate) mod drive;
    pub(crate) mod oracle;
    pub(crate) mod ours;
    pub(crate) mod peers;
    pub(crate) mod report;
    pub(crate) mod scenario;
    pub(crate) mod simulation;
    pub(crate) mod subject;
    pub(crate) mod world;
}

fn main() {
    let args = Args::parse(std::env::args().skip(1)).unwrap_or_else(|error| {
        eprintln!("{error}\n{}", Args::USAGE);
        exit(2)
    });
    println!("{}", report::ABOUT);
    let (mut rows, mut broken) = (Vec::new(), Vec::new());
    for seed in &args.seeds {
        let mut of_seed = Vec::new();
        for scenario in scenario::all().filter(|scenario| args.wants(scenario.name)) {
            println!("\n{}, seed {seed}\n{}", scenario.name, report::HEAD);
            let subjects = Subject::ALL.into_iter();
            for subject in subjects.filter(|subject| args.wants_subject(*subject, *seed)) {
                let row = simulation::run(subject, &scenario, *seed, args.pace());
                println!("{}", row.line());
                of_seed.push(row);
            }
        }
        let found = bounds::broken(&of_seed);
        broken.extend(
            found
                .into_iter()
                .map(|bound| format!("seed {seed}: {bound}")),
        );
        rows.extend(of_seed);
    }
    println!("\n{}", bounds::verdict(&broken, args.quick));

    // Cargo names a folder inside the target directory, wherever that is.
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    let file = file.join("balance.json");
    if let Err(error) = report::write(&rows, &file) {
        eprintln!("{error}");
        exit(1)
    }
    println!("written to {}", file.display());
    // A short run is too short to tell.
    if !broken.is_empty() && !args.quick {
        exit(1)
    }
}
