//! A Redis that is there and does not do what it is told: for a key, or at all.

use super::support::*;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
    },
    time::Duration,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinSet,
};
use ziggurat::{
    core::Live,
    limit::Limited,
    quota::{OnOutage, RedisQuota, Unchecked},
};

/// Grants one call a question; but refuses in these words whoever asks for a key that ends with `bad`.
struct Refusing {
    url: String,
    connections: Arc<AtomicUsize>,
    _task: JoinSet<()>,
}

// === impl Refusing ===

impl Refusing {
    async fn start(words: &'static str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("redis://{}", listener.local_addr().unwrap());
        let connections = Arc::<AtomicUsize>::default();
        let count = Arc::clone(&connections);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut served = JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                count.fetch_add(1, Relaxed);
                served.spawn(serve(stream, words));
            }
        });
        Self {
            url,
            connections,
            _task: task,
        }
    }

    fn quota(&self, on_outage: OnOutage, told: &Told) -> RedisQuota {
        let quota = RedisQuota::open(&self.url, on_outage).unwrap();
        let quota = quota.timeout(Duration::from_secs(10)).unwrap();
        quota.observe_with(told.clone())
    }

    fn connections(&self) -> usize {
        self.connections.load(Relaxed)
    }
}

async fn serve(mut stream: TcpStream, words: &'static str) {
    let mut said = Vec::new();
    while let Ok(1..) = stream.read_buf(&mut said).await {
        while let Some((command, length)) = command(&said) {
            said.drain(..length);
            let asks = command[0].starts_with("EVAL");
            let answer = match command.get(3) {
                Some(key) if asks && key.ends_with("bad") => format!("-{words}\r\n"),
                _ if asks => "*3\r\n:1\r\n:0\r\n:0\r\n".to_owned(),
                _ => "+OK\r\n".to_owned(),
            };
            if stream.write_all(answer.as_bytes()).await.is_err() {
                return;
            }
        }
    }
}

/// The words of the first command, and its length, once it is whole.
fn command(said: &[u8]) -> Option<(Vec<String>, usize)> {
    let mut at = 0;
    let number = |mark: u8, at: &mut usize| {
        let line = said.get(*at..)?;
        let end = line.windows(2).position(|two| two == b"\r\n")?;
        assert_eq!(line[0], mark);
        *at += end + 2;
        std::str::from_utf8(&line[1..end]).ok()?.parse().ok()
    };
    let words: usize = number(b'*', &mut at)?;
    let mut command = Vec::new();
    for _ in 0..words {
        let length: usize = number(b'$', &mut at)?;
        let word = said.get(at..at + length + 2)?;
        command.push(String::from_utf8_lossy(&word[..length]).into_owned());
        at += length + 2;
    }
    Some((command, at))
}

const ELSEWHERE: [&str; 4] = [
    "MOVED 3999 127.0.0.1:6381",
    "ASK 3999 127.0.0.1:6381",
    "TRYAGAIN Multiple keys request during rehashing of slot",
    "CLUSTERDOWN Hash slot not served",
];

const AT_ALL: [&str; 8] = [
    "READONLY You can't write against a read only replica.",
    "LOADING Redis is loading the dataset in memory",
    "OOM command not allowed when used memory > 'maxmemory'.",
    "NOSCRIPT No matching script. Please use EVAL.",
    "BUSY Redis is busy running a script.",
    "MASTERDOWN Link with MASTER is down",
    "NOPERM this user has no permissions to run the 'evalsha' command",
    "ERR whatever it is",
];

#[tokio::test]
async fn whatever_redis_refuses_with_the_policy_decides_and_is_counted() {
    for words in ELSEWHERE.into_iter().chain(AT_ALL) {
        let redis = Refusing::start(words).await;
        for policy in [
            OnOutage::Open,
            OnOutage::Closed,
            OnOutage::Share(Live::from(2)),
        ] {
            let told = Told::default();
            let limiter = limiter(&redis.quota(policy.clone(), &told), burst_only(10));
            let mut admitted = 0;
            for _ in 0..20 {
                match call(&limiter, "bad").await {
                    Ok(()) => admitted += 1,
                    Err(error) => assert!(is::<Unchecked>(&error) || is::<Limited>(&error)),
                }
            }
            let expected = match policy {
                OnOutage::Open => 20,
                OnOutage::Closed => 0,
                _ => 5,
            };
            assert_eq!(admitted, expected, "{words}: {policy:?}");
            assert_eq!(told.get(|counts| &counts.admitted_alone), expected);
            assert_eq!(told.get(|counts| &counts.rejected_alone), 20 - expected);
        }
    }
}

#[tokio::test]
async fn a_key_that_another_node_has_is_no_outage_for_the_others() {
    for words in ELSEWHERE {
        let redis = Refusing::start(words).await;
        let told = Told::default();
        let quota = redis.quota(OnOutage::Closed, &told);
        let limiter = limiter(&quota, rate(1_000, 1_000));
        for _ in 0..50 {
            assert!(is::<Unchecked>(&call(&limiter, "bad").await.unwrap_err()));
            call(&limiter, "good").await.unwrap();
        }
        assert_eq!(told.get(|counts| &counts.elsewhere), 50, "{words}");
        assert_eq!(told.get(|counts| &counts.down), 0, "{words}");
        assert_eq!(redis.connections(), 1, "{words}");
    }
}

#[tokio::test]
async fn a_redis_that_does_some_of_what_it_is_told_is_not_connected_to_for_every_call() {
    for words in AT_ALL {
        let redis = Refusing::start(words).await;
        let told = Told::default();
        let limiter = limiter(&redis.quota(OnOutage::Open, &told), rate(1_000, 1_000));
        for _ in 0..500 {
            call(&limiter, "good").await.unwrap();
            call(&limiter, "bad").await.unwrap();
            tokio::task::yield_now().await;
        }
        assert!(redis.connections() < 20, "{words}: {}", redis.connections());
        assert!(told.get(|counts| &counts.down) > 0, "{words}");
    }
}
