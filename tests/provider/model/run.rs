//! One run of random steps. Every mount is compared with the model.

use std::collections::HashMap;

use futures::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::node::{End, Node};
use super::pod::{Files, Pod, ServiceAccount, files};
use super::server::{Expected, ModelServer, Personal, ROLES, SECRETS, WantedClass, api_path};

/// Pods of a node.
const PODS: usize = 14;

/// Most pods that are mounted at once.
const AT_ONCE: usize = 6;

pub(crate) struct Run {
    seed: u64,
    rng: StdRng,
    server: ModelServer,
    node: Node,
    service_accounts: Vec<ServiceAccount>,
    volumes: Vec<Volume>,
    /// The owner of each credential that was issued so far.
    owners: HashMap<Vec<u8>, Owner>,
    history: Vec<String>,
    seen: (usize, usize),
}

/// A volume with its last request.
struct Volume {
    pod: Pod,
    /// Index into `service_accounts`.
    account: usize,
    wanted: WantedClass,
    /// The issued credential in the volume.
    issued: Option<Vec<u8>>,
    /// The owner for which it was mounted.
    owner: Option<Owner>,
    /// Whether its lease may have been revoked.
    may_be_revoked: bool,
}

/// The account, role and volume that may use an issued credential.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Owner {
    service_account: ServiceAccount,
    role: &'static str,
    kind: Personal,
    /// The volume; `None` where the pods of the account share.
    volume: Option<usize>,
}

impl Run {
    pub(crate) async fn begin(seed: u64) -> Self {
        let names = [("team-a", "web"), ("team-a", "api"), ("team-b", "web"), ("team-b", "api")];
        let service_accounts = names.map(|(namespace, name)| ServiceAccount::new(namespace, name)).to_vec();
        let server = ModelServer::new(&service_accounts).await;
        let node = Node::start(&server.vault.address()).await;
        let (volumes, owners, history) = (Vec::new(), HashMap::new(), Vec::new());
        Self {
            seed,
            rng: StdRng::seed_from_u64(seed),
            server,
            node,
            service_accounts,
            volumes,
            owners,
            history,
            seen: (0, 0),
        }
    }

    /// Makes the steps, and returns the numbers of successful and of refused mounts.
    pub(crate) async fn go(mut self, steps: usize) -> (usize, usize) {
        for _ in 0..steps {
            self.step().await;
        }
        self.node.end(End::Asked).await;
        self.seen
    }

    async fn step(&mut self) {
        match self.rng.random_range(0..100) {
            0..55 => self.mount_some().await,
            55..67 => self.change_a_policy().await,
            67..79 => {
                let number = self.rng.random_range(0..SECRETS);
                self.record(format!("secret {number} is written"));
                self.server.write(number).await;
            }
            79..82 => {
                let number = self.rng.random_range(0..SECRETS);
                self.record(format!("secret {number} is deleted"));
                self.server.delete(number).await;
            }
            82..87 => {
                let account = self.rng.random_range(0..self.service_accounts.len());
                self.service_accounts[account].made += 1;
                let line = format!("{:?} is made anew", self.service_accounts[account]);
                self.record(line);
            }
            87..94 => self.revoke_some().await,
            _ => {
                let end = if self.rng.random_bool(0.7) { End::Killed } else { End::Asked };
                self.record(format!("the provider is {end:?} and comes back"));
                self.node.restart(end).await;
            }
        }
    }

    /// Changes a policy; it allows more often than it denies.
    async fn change_a_policy(&mut self) {
        let role = ROLES[self.rng.random_range(0..ROLES.len())];
        let path = match self.rng.random_range(0..SECRETS + 2) {
            0 => Personal::Certificate.path().into(),
            1 => Personal::Password.path().into(),
            number => api_path(number - 2),
        };
        let denied = self.rng.random_bool(0.35);
        self.record(format!("{role}: {path} is {}", if denied { "denied" } else { "allowed" }));
        self.server.deny(role, path, denied).await;
    }

    async fn revoke_some(&mut self) {
        let part = if self.rng.random_bool(0.3) { 1.0 } else { 0.4 };
        let rng = &mut self.rng;
        let count = self.server.revoke(|| rng.random_bool(part)).await;
        self.volumes.iter_mut().for_each(|volume| volume.may_be_revoked = true);
        self.record(format!("an operator revokes {count} tokens"));
    }

    /// Mounts some volumes in parallel, new and existing ones.
    async fn mount_some(&mut self) {
        let mut chosen = Vec::new();
        for _ in 0..self.rng.random_range(1..=AT_ONCE) {
            let volume = self.choose();
            if !chosen.contains(&volume) {
                chosen.push(volume);
            }
        }
        let requests = chosen.iter().map(|&volume| {
            let Volume { pod, wanted, .. } = &self.volumes[volume];
            self.node.mount(pod.request(&wanted.class(), &self.server.vault.issuer))
        });
        let answers = join_all(requests).await;
        for (volume, answer) in chosen.into_iter().zip(answers) {
            match answer {
                Ok(answer) => self.served(volume, files(answer)),
                Err(status) => self.refused(volume, status.message()),
            }
        }
    }

    /// A new or an existing volume, with its current account and class.
    fn choose(&mut self) -> usize {
        let number = self.rng.random_range(0..PODS);
        if number >= self.volumes.len() {
            let account = self.rng.random_range(0..self.service_accounts.len());
            let pod =
                Pod { service_account: self.service_accounts[account].clone(), number: self.volumes.len() };
            let wanted = self.wanted(account);
            self.volumes.push(Volume {
                pod,
                account,
                wanted,
                issued: None,
                owner: None,
                may_be_revoked: false,
            });
            return self.volumes.len() - 1;
        }
        let account = self.volumes[number].account;
        self.volumes[number].pod.service_account = self.service_accounts[account].clone();
        if self.rng.random_bool(0.15) {
            self.volumes[number].wanted = self.wanted(account);
        }
        number
    }

    fn wanted(&mut self, account: usize) -> WantedClass {
        let rng = &mut self.rng;
        let secrets = (0..rng.random_range(1..=3)).map(|_| rng.random_range(0..SECRETS)).collect();
        let whose =
            if rng.random_bool(0.85) { account } else { rng.random_range(0..self.service_accounts.len()) };
        let own = rng.random_bool(0.5).then(|| {
            (self.service_accounts[whose].namespace.clone(), self.service_accounts[whose].name.clone())
        });
        let personal = [None, Some(Personal::Certificate), Some(Personal::Password)][rng.random_range(0..3)];
        WantedClass {
            role: ROLES[rng.random_range(0..ROLES.len())],
            secrets,
            own,
            personal,
            shared: rng.random_bool(0.3),
        }
    }

    fn served(&mut self, number: usize, mut files: Files) {
        let personal = files.remove("personal");
        let Volume { pod, wanted, .. } = &self.volumes[number];
        let expected = self.server.expected(&pod.service_account, wanted);
        let line = format!("volume {number} of {:?} is served {wanted:?}", pod.service_account);
        self.record(line);
        let shown =
            files.into_iter().map(|(name, bytes)| (name, String::from_utf8(bytes).unwrap())).collect();
        self.check(Expected::Files(shown) == expected, number, &format!("expected {expected:?}"));
        self.seen.0 += 1;
        self.is_personal(number, personal);
    }

    fn refused(&mut self, number: usize, text: &str) {
        let Volume { pod, wanted, .. } = &self.volumes[number];
        let (expected, owner) =
            (self.server.expected(&pod.service_account, wanted), owner(&self.volumes[number]));
        let reason = text.split(':').next().unwrap();
        let denied =
            wanted.personal.is_some_and(|personal| !self.server.is_allowed(wanted.role, personal.path()));
        let agrees = match &expected {
            Expected::Fails(reasons) => reasons.contains(&reason) || denied && reason == "vault.read_denied",
            Expected::Files(_) => denied && reason == "vault.read_denied",
        };
        let line = format!("volume {number} of {:?} is refused {wanted:?}: {text}", pod.service_account);
        self.record(line);
        self.check(agrees, number, &format!("expected {expected:?}"));
        self.seen.1 += 1;
        let volume = &mut self.volumes[number];
        if volume.owner != owner {
            (volume.owner, volume.issued) = (owner, None);
        }
    }

    /// Checks that an issued credential belongs to this volume, and that it stays the same while it is valid.
    fn is_personal(&mut self, number: usize, shown: Option<Vec<u8>>) {
        let wanted = owner(&self.volumes[number]);
        self.check(shown.is_some() == wanted.is_some(), number, "a personal credential where one is wanted");
        let (Some(shown), Some(wanted)) = (shown, wanted.clone()) else {
            let volume = &mut self.volumes[number];
            (volume.owner, volume.issued) = (wanted, None);
            return;
        };
        let owner = self.owners.entry(shown.clone()).or_insert_with(|| wanted.clone()).clone();
        self.check(owner == wanted, number, &format!("it issued what is {owner:?}'s"));
        let volume = &self.volumes[number];
        let before = volume.issued.as_ref().filter(|_| volume.owner.as_ref() == Some(&wanted));
        let lives = wanted.kind == Personal::Certificate || !volume.may_be_revoked;
        self.check(
            !lives || before.is_none_or(|before| *before == shown),
            number,
            "it was issued again without a reason",
        );
        let volume = &mut self.volumes[number];
        (volume.owner, volume.issued, volume.may_be_revoked) = (Some(wanted), Some(shown), false);
    }

    fn record(&mut self, line: String) {
        self.history.push(line);
    }

    fn check(&self, holds: bool, number: usize, why: &str) {
        let history = || self.history.join("\n");
        assert!(holds, "seed {}: volume {number}: {why}\n{}", self.seed, history());
    }
}

/// The owner of the issued credential of `volume`, if its class has one.
fn owner(volume: &Volume) -> Option<Owner> {
    let WantedClass { role, personal, shared, .. } = &volume.wanted;
    let number = (!shared).then_some(volume.pod.number);
    personal.map(|kind| Owner {
        service_account: volume.pod.service_account.clone(),
        role,
        kind,
        volume: number,
    })
}
