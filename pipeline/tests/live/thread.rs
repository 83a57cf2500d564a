//! The threads of a program, as the system describes them.

use std::fs;

use super::program::Program;

/// What there is to know of one thread (`proc_pid_status(5)`).
pub(crate) struct Thread(String);

/// All threads that a program has now.
pub(crate) fn threads(of: &Program) -> Vec<Thread> {
    let tasks = fs::read_dir(format!("/proc/{}/task", of.id())).unwrap();
    tasks
        .map(|task| Thread(fs::read_to_string(task.unwrap().path().join("status")).unwrap()))
        .collect()
}

impl Thread {
    /// The value of a field, such as `Name`.
    pub(crate) fn field(&self, name: &str) -> &str {
        let value = |line| str::strip_prefix(line, name)?.strip_prefix(':');
        self.0.lines().find_map(value).unwrap_or_else(|| panic!("no {name} in {}", self.0)).trim()
    }

    /// It can get no privileges, and has no capabilities but these, as a set of bits.
    pub(crate) fn assert_only(&self, capabilities: u64) {
        assert_eq!(self.field("NoNewPrivs"), "1", "{}", self.0);
        for (set, want) in
            [("CapPrm", capabilities), ("CapEff", capabilities), ("CapInh", 0), ("CapAmb", 0)]
        {
            assert_eq!(u64::from_str_radix(self.field(set), 16), Ok(want), "{set} of {}", self.0);
        }
    }
}
