//! Which cluster answers: a plain machine that notices when it is another one, or went back.
//!
//! Every answer says which cluster it comes from. One that was restored from a backup may have kept
//! its name; then it is told by what can never be otherwise: a linearizable answer is not older than
//! any answer that was there before the question.

use etcd_client::proto::PbResponseHeader;
use parking_lot::Mutex;

/// What was heard of the cluster so far.
#[derive(Debug, Default)]
pub(super) struct Generations(Mutex<Known>);

/// How far the cluster was when a question was asked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Since {
    generation: u64,
    revision: i64,
}

#[derive(Debug, Default)]
struct Known {
    /// 0 before the first answer.
    cluster: u64,
    latest: Since,
}

// === impl Generations ===

impl Generations {
    /// How far it is now; taken before a question.
    pub(super) fn since(&self) -> Since {
        self.0.lock().latest
    }

    /// A member said this, which may lag behind the others.
    pub(super) fn hear(&self, header: Option<&PbResponseHeader>) {
        self.note(header, None);
    }

    /// The cluster answered this to a question that was asked then.
    pub(super) fn hear_linearizable(&self, header: Option<&PbResponseHeader>, since: Since) {
        self.note(header, Some(since));
    }

    fn note(&self, header: Option<&PbResponseHeader>, since: Option<Since>) {
        let Some(header) = header else { return };
        let mut known = self.0.lock();
        let Known { cluster, latest } = &mut *known;
        // A proxy may leave the name out.
        let is_other = *cluster != 0 && header.cluster_id != 0 && *cluster != header.cluster_id;
        let went_back = since.is_some_and(|since| {
            since.generation == latest.generation && header.revision < since.revision
        });
        if header.cluster_id != 0 {
            *cluster = header.cluster_id;
        }
        if is_other || went_back {
            let (before, now) = (latest.revision, header.revision);
            tracing::warn!(
                is_other,
                before,
                now,
                "etcd is another cluster or went back"
            );
            latest.generation += 1;
            latest.revision = header.revision;
        } else {
            latest.revision = latest.revision.max(header.revision);
        }
    }
}

// === impl Since ===

impl Since {
    pub(super) const fn generation(self) -> u64 {
        self.generation
    }

    pub(super) const fn revision(self) -> i64 {
        self.revision
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(cluster_id: u64, revision: i64) -> PbResponseHeader {
        PbResponseHeader {
            cluster_id,
            revision,
            ..PbResponseHeader::default()
        }
    }

    #[test]
    fn another_cluster_is_another_generation_however_far_it_is() {
        let known = Generations::default();
        for (cluster, revision, generation) in
            [(1, 7, 0), (1, 9, 0), (2, 3, 1), (2, 4, 1), (1, 99, 2)]
        {
            known.hear(Some(&header(cluster, revision)));
            assert_eq!(known.since().generation(), generation);
            assert_eq!(known.since().revision(), revision);
        }
        known.hear(None);
        known.hear(Some(&header(0, 100)));
        known.hear(Some(&header(1, 101)));
        assert_eq!(known.since().generation(), 2);
    }

    #[test]
    fn only_an_answer_of_the_whole_cluster_can_go_back() {
        let known = Generations::default();
        known.hear(Some(&header(1, 10)));
        let since = known.since();
        // A member that lags, and an answer that was overtaken by another one.
        known.hear(Some(&header(1, 5)));
        known.hear(Some(&header(1, 12)));
        known.hear_linearizable(Some(&header(1, 11)), since);
        assert_eq!(known.since().generation(), 0);
        let asked = known.since();
        known.hear_linearizable(Some(&header(1, 11)), asked);
        assert_eq!(known.since().generation(), 1);
        // Many who asked at that time find out together.
        known.hear_linearizable(Some(&header(1, 11)), asked);
        assert_eq!(known.since().generation(), 1);
    }
}
