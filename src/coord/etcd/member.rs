//! One member of the cluster, and the connections to it.

use super::{endpoint::Endpoint, fault::Fault, settings::EtcdSettings};
use etcd_client::{Client, ConnectOptions, Error};
use parking_lot::Mutex;
use std::{fmt, sync::Arc};
use tokio::sync::Mutex as AsyncMutex;

/// A member; it is connected to when it is first asked something, and anew after it failed.
pub(super) struct Member {
    endpoint: Endpoint,
    settings: Arc<EtcdSettings>,
    slots: [Slot; 2],
}

/// How the member shall answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Leader {
    /// Only if it has a leader, so that what it says is what the cluster says.
    Required,
    /// In any case.
    NotRequired,
}

/// The connection, or none yet.
#[derive(Default)]
struct Slot {
    connected: Mutex<Connected>,
    /// Held by who connects: one question for a token is enough for all who wait.
    connecting: AsyncMutex<()>,
}

#[derive(Default)]
struct Connected {
    number: u64,
    client: Option<Client>,
    /// Whether anything has been answered on it.
    proven: bool,
}

/// What etcd says to a user when it knows no users at all.
const NO_USERS: &str = "etcdserver: authentication is not enabled";

// === impl Member ===

impl Member {
    pub(super) fn new(endpoint: Endpoint, settings: Arc<EtcdSettings>) -> Self {
        Self {
            endpoint,
            settings,
            slots: Default::default(),
        }
    }

    pub(super) fn name(&self) -> &str {
        self.endpoint.as_str()
    }

    /// The connection, and its number. A new one signs in first, if there is a user.
    pub(super) async fn client(&self, leader: Leader) -> Result<(Client, u64), Fault> {
        let slot = &self.slots[leader as usize];
        if let Some(connected) = slot.connected() {
            return Ok(connected);
        }
        let _connecting = slot.connecting.lock().await;
        if let Some(connected) = slot.connected() {
            return Ok(connected);
        }
        let client = match self.connect(self.options(leader, true)).await {
            // Not an error to Go's client either: users may be switched on later.
            Err(Error::GRpcStatus(status)) if status.message() == NO_USERS => {
                self.connect(self.options(leader, false)).await
            }
            client => client,
        };
        let client = client.map_err(|error| Fault::new(&error))?;
        let mut connected = slot.connected.lock();
        let number = connected.number + 1;
        *connected = Connected {
            number,
            client: Some(client.clone()),
            proven: false,
        };
        Ok((client, number))
    }

    async fn connect(&self, options: ConnectOptions) -> Result<Client, Error> {
        Client::connect([self.endpoint.as_str()], Some(options)).await
    }

    fn options(&self, leader: Leader, signed_in: bool) -> ConnectOptions {
        let (interval, timeout) = self.settings.keep_alive;
        // The demand for a leader is the connection's, so those who do not make it have their own.
        let mut options = ConnectOptions::new()
            .with_connect_timeout(self.settings.try_timeout)
            .with_keep_alive(interval, timeout)
            .with_keep_alive_while_idle(true)
            .with_require_leader(leader == Leader::Required);
        if let Some(tls) = &self.settings.tls {
            options = options.with_tls(tls.options());
        }
        match &self.settings.user {
            Some((name, password)) if signed_in => options.with_user(name, password.expose()),
            _ => options,
        }
    }

    /// Asks something that changes nothing, unless this connection was answered on before.
    ///
    /// A change that is sent into the void is lost for good: nobody may send it again.
    pub(super) async fn prove(
        &self,
        leader: Leader,
        number: u64,
        client: &Client,
    ) -> Result<(), Fault> {
        let proven = {
            let connected = self.slots[leader as usize].connected.lock();
            connected.proven && connected.number == number
        };
        if !proven {
            let nothing = client.kv_client().get("\0", None).await;
            let fault = nothing.err().map(|error| Fault::new(&error));
            if let Some(fault) = fault.filter(|fault| fault.blame) {
                return Err(fault);
            }
            self.proven(leader, number);
        }
        Ok(())
    }

    /// Something was answered on this connection.
    pub(super) fn proven(&self, leader: Leader, number: u64) {
        let mut connected = self.slots[leader as usize].connected.lock();
        connected.proven |= connected.number == number;
    }

    /// Gives this connection up; those who are still using it may.
    pub(super) fn forget(&self, leader: Leader, number: u64) {
        let mut connected = self.slots[leader as usize].connected.lock();
        if connected.number == number {
            connected.client = None;
        }
    }

    /// Gives all connections up: the member did not answer, and a new one may.
    pub(super) fn forget_all(&self) {
        for slot in &self.slots {
            slot.connected.lock().client = None;
        }
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The options hold a password.
        f.debug_tuple("Member").field(&self.endpoint).finish()
    }
}

// === impl Slot ===

impl Slot {
    fn connected(&self) -> Option<(Client, u64)> {
        let connected = self.connected.lock();
        let client = connected.client.clone()?;
        Some((client, connected.number))
    }
}
