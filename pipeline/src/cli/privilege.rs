//! Giving up what is not needed any more once the sockets are open.
//!
//! Must be called before any thread is started, or on each: capabilities and users belong to threads.

use std::fs;

use anyhow::{Context, Result, anyhow, bail};
use rustix::process::{Gid, Uid};
use rustix::thread::{
    CapabilitySet, CapabilitySets, capabilities, clear_ambient_capability_set, set_capabilities,
    set_no_new_privs, set_thread_groups, set_thread_res_gid, set_thread_res_uid,
};

/// Becomes `user`, if given, drops all capabilities, and makes sure that none comes back.
pub(super) fn drop_all(user: Option<&str>) -> Result<()> {
    if let Some(user) = user {
        become_user(user)?;
    }
    keep_only(CapabilitySet::empty())
}

/// Drops all capabilities but those of `needed` that there are, and makes sure that none comes back.
pub(super) fn keep_only(needed: CapabilitySet) -> Result<()> {
    let none = CapabilitySet::empty();
    let kept = match needed.is_empty() {
        true => none,
        false => capabilities(None).context("cannot ask for capabilities")?.permitted & needed,
    };
    let sets = CapabilitySets { effective: kept, permitted: kept, inheritable: none };
    set_capabilities(None, sets).context("cannot give up capabilities")?;
    clear_ambient_capability_set().context("cannot give up ambient capabilities")?;
    set_no_new_privs(true).context("cannot rule out new privileges")
}

fn become_user(user: &str) -> Result<()> {
    let accounts = fs::read_to_string("/etc/passwd").context("cannot read /etc/passwd")?;
    let (uid, gid) =
        find(&accounts, user).ok_or_else(|| anyhow!("there is no user {user} in /etc/passwd"))?;
    let (uid, gid) = (Uid::from_raw(uid), Gid::from_raw(gid));
    if rustix::process::geteuid() == uid {
        return Ok(());
    }
    if !rustix::process::geteuid().is_root() {
        bail!("cannot become user {user}: only root can");
    }
    // Groups first: without the user's rights they could not be changed any more.
    set_thread_groups(&[])
        .and_then(|()| set_thread_res_gid(gid, gid, gid))
        .and_then(|()| set_thread_res_uid(uid, uid, uid))
        .with_context(|| format!("cannot become user {user}"))
}

/// User and group number of a name or user number, in the format of passwd(5).
fn find(accounts: &str, user: &str) -> Option<(u32, u32)> {
    accounts.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _, uid, gid) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
        (name == user || uid == user).then_some((uid.parse().ok()?, gid.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::find;

    #[test]
    fn users_are_found_by_name_and_number() {
        let accounts =
            "root:x:0:0:root:/root:/bin/sh\nbroken\nnobody:x:65534:65533::/:/bin/false\n";
        for (user, want) in [
            ("root", Some((0, 0))),
            ("nobody", Some((65534, 65533))),
            ("65534", Some((65534, 65533))),
            ("x", None),
            ("", None),
        ] {
            assert_eq!(find(accounts, user), want, "{user}");
        }
    }
}
