//! The endpoints of one service that one layer value knows, and how many of them may be out.

use crate::{Observer, Settings, judge::Judge, sweep::Sweep};
use std::{
    collections::HashMap,
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};
use ziggurat_core::{Dice, EndpointId, Live, contain};

/// What one layer value knows, of every service that goes through it.
#[derive(Default)]
pub(crate) struct Services {
    groups: Mutex<HashMap<Box<str>, Weak<Group>>>,
}

/// The endpoints of one service. Holds none of them: who has an endpoint keeps it in here.
pub(crate) struct Group {
    service: Box<str>,
    pub(crate) settings: Live<Settings>,
    pub(crate) dice: Dice,
    observer: Option<Arc<dyn Observer>>,
    pub(crate) sweep: Sweep,
    judges: Mutex<HashMap<EndpointId, Weak<Judge>>>,
}

// === impl Services ===

impl Services {
    /// The group of `service`, made by `make` if there is none.
    pub(crate) fn group(&self, service: &str, make: impl FnOnce() -> Group) -> Arc<Group> {
        let mut groups = lock(&self.groups);
        if let Some(group) = groups.get(service).and_then(Weak::upgrade) {
            return group;
        }
        groups.retain(|_, group| group.strong_count() > 0);
        let group = Arc::new(make());
        groups.insert(service.into(), Arc::downgrade(&group));
        group
    }
}

impl fmt::Debug for Services {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(lock(&self.groups).keys()).finish()
    }
}

// === impl Group ===

impl Group {
    pub(crate) fn new(
        service: &str,
        settings: Live<Settings>,
        dice: Dice,
        observer: Option<Arc<dyn Observer>>,
    ) -> Self {
        Self {
            service: service.into(),
            settings,
            dice,
            observer,
            sweep: Sweep::default(),
            judges: Mutex::new(HashMap::new()),
        }
    }

    pub(crate) const fn service(&self) -> &str {
        &self.service
    }

    /// Tells the observer of this service, which cannot end the call or the timer that tells it.
    pub(crate) fn tell(&self, what: impl FnOnce(&dyn Observer, &str)) {
        if let Some(observer) = &self.observer {
            contain(|| what(&**observer, self.service()));
        }
    }

    /// The judge of `id`: the one that knows it already, if anybody still has it.
    pub(crate) fn judge(self: &Arc<Self>, id: &EndpointId) -> Arc<Judge> {
        let mut judges = lock(&self.judges);
        if let Some(judge) = judges.get(id).and_then(Weak::upgrade) {
            return judge;
        }
        judges.retain(|_, judge| judge.strong_count() > 0);
        let judge = Judge::new(id.clone(), Arc::clone(self));
        judges.insert(id.clone(), Arc::downgrade(&judge));
        drop(judges);
        self.begin_to_count(None);
        judge
    }

    /// Those in use, ordered by name so that a seed repeats.
    pub(crate) fn present(&self) -> Vec<Arc<Judge>> {
        let judges = lock(&self.judges);
        let known = judges
            .iter()
            .filter_map(|(id, judge)| Some((id, judge.upgrade()?)));
        let mut present: Vec<_> = known.filter(|(_, judge)| judge.is_present()).collect();
        present.sort_by_key(|(id, _)| *id);
        present.into_iter().map(|(_, judge)| judge).collect()
    }

    /// Calls `eject` if `id` may be out, too. Nobody else is ejected meanwhile.
    pub(crate) fn if_room<T>(
        &self,
        settings: &Settings,
        id: &EndpointId,
        eject: impl FnOnce() -> T,
    ) -> Option<T> {
        let judges = lock(&self.judges);
        let (mut known, mut out) = (0, 0);
        for (other, judge) in judges.iter() {
            let Some(judge) = judge.upgrade().filter(|judge| judge.is_present()) else {
                continue;
            };
            known += 1;
            // Who is not connected serves nobody either.
            out += usize::from(other != id && !judge.takes_calls());
        }
        settings.has_room(known, out).then(eject)
    }
}

impl fmt::Debug for Group {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Group")
            .field("service", &self.service)
            .field("settings", &self.settings)
            .finish_non_exhaustive()
    }
}

pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
