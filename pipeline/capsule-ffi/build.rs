//! Binds the DPDK that is installed, as pkg-config tells it.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use bindgen::EnumVariation;
use bindgen::callbacks::{EnumVariantValue, ParseCallbacks};

/// The first version whose names these are.
const DPDK_MIN: &str = "22.11";

/// What capsule 0.1.5 and the pipeline call.
const FUNCTIONS: [&str; 6] = [
    "numa_node_of_cpu",
    "shim_.*",
    "rte_(eal_init|eal_cleanup|eal_alarm_set|strerror|socket_.*|thread_(set_affinity|(un)?register))",
    "rte_eth_(dev|rx_queue|tx_queue|promiscuous|allmulticast|macaddr|link|stats|add_rx)_.*",
    "rte_eth_read_clock",
    "rte_(mempool_(free|in_use_count)|pktmbuf_(pool_create|free_bulk)|mbuf_dyn_rx_timestamp_register)",
];

/// Gives a value of an enumeration the name by which capsule knows it.
#[derive(Debug)]
struct OldNames;

impl ParseCallbacks for OldNames {
    fn enum_variant_name(
        &self,
        _enumeration: Option<&str>,
        name: &str,
        _value: EnumVariantValue,
    ) -> Option<String> {
        (name == "RTE_ETH_MQ_RX_RSS").then(|| "ETH_MQ_RX_RSS".to_owned())
    }
}

fn main() {
    println!("cargo:rerun-if-changed=src");
    let missing = |what: &str, error: &dyn std::fmt::Display| -> ! {
        eprintln!("the feature `dpdk` needs {what}; scripts/setup-dpdk installs it\n{error}");
        std::process::exit(1);
    };
    if let Err(error) = pkg_config::Config::new().atleast_version(DPDK_MIN).probe("libdpdk") {
        missing("DPDK 22.11 or later (libdpdk-dev)", &error);
    }
    println!("cargo:rustc-link-lib=numa");
    // The crate `pkg-config` keeps neither `-include rte_config.h` nor the processor, and both
    // decide what the structures look like.
    let flags = match Command::new("pkg-config").args(["--cflags", "libdpdk"]).output() {
        Ok(output) => String::from_utf8_lossy(&output.stdout).into_owned(),
        Err(error) => missing("pkg-config", &error),
    };
    let flags: Vec<&str> = flags.split_whitespace().collect();
    let mut shim = cc::Build::new();
    for flag in &flags {
        shim.flag(flag);
    }
    shim.file("src/shim.c").warnings(false).compile("capsule_ffi_shim");

    let bindings = bindgen::Builder::default()
        .header("src/bindings.h")
        .clang_args(&flags)
        // For `cpu_set_t`.
        .clang_arg("-D_GNU_SOURCE")
        .default_enum_style(EnumVariation::ModuleConsts)
        .parse_callbacks(Box::new(OldNames))
        .derive_default(true)
        // Packed and aligned at once, which Rust cannot say.
        .opaque_type("rte_arp_ipv4|rte_arp_hdr|rte_ether_hdr|rte_l2tpv2_.*|rte_gtp_psc_.*")
        .allowlist_type("rte_(mbuf|mempool|cpuset_t|eth_(dev_info|conf|stats|link|rss_conf))")
        .allowlist_var("RTE_MBUF_DEFAULT_BUF_SIZE|CAPSULE_.*|RTE_MAX_ETHPORTS")
        .layout_tests(false);
    let bindings = FUNCTIONS.iter().fold(bindings, bindgen::Builder::allowlist_function);
    let bindings = bindings.blocklist_function("rte_eal_init|rte_eth_dev_configure");
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default()).join("bindings.rs");
    match bindings.generate() {
        Err(error) => missing("libclang and DPDK's headers", &error),
        Ok(bindings) => {
            if let Err(error) = bindings.write_to_file(&out) {
                missing("a place for the bindings", &error);
            }
        }
    }
}
