//! The table of address classes (security.md section 1): every address has exactly one.
//! It knows neither rules nor presets, only what an address is.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// What an address is, with its name for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// The open internet.
    Public,
    /// This machine or its own networks; the preset `local` opens it.
    Local(&'static Row),
    /// No preset opens it, only a rule that names the address.
    Blocked(&'static Row),
}

/// A range of addresses.
#[derive(Debug, PartialEq, Eq)]
pub struct Row {
    /// The first address.
    pub first: IpAddr,
    /// Bits of the prefix.
    pub bits: u8,
    /// What it is, for people.
    pub name: &'static str,
    /// The same as the word of an attempt's `detail`.
    pub detail: &'static str,
    local: bool,
}

macro_rules! table {
    ($make:path: $(
        $kind:ident [$($part:literal),+] / $bits:literal $name:literal $word:literal;
    )+) => {
        &[$(Row {
            first: $make($($part),+),
            bits: $bits,
            name: $name,
            detail: concat!("blocked_target_", $word),
            local: table!(@ $kind),
        },)+]
    };
    (@ local) => { true };
    (@ never) => { false };
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> IpAddr {
    IpAddr::V4(Ipv4Addr::new(a, b, c, d))
}

#[allow(clippy::too_many_arguments, reason = "an IPv6 address has eight parts")]
const fn v6(a: u16, b: u16, c: u16, d: u16, e: u16, f: u16, g: u16, h: u16) -> IpAddr {
    IpAddr::V6(Ipv6Addr::new(a, b, c, d, e, f, g, h))
}

/// IPv4; the first row that holds an address is its own. What no row holds is public.
pub(super) static V4: &[Row] = table! { v4:
    never [100, 100, 100, 200] / 32 "cloud metadata" "metadata";
    never [168, 63, 129, 16] / 32 "cloud metadata" "metadata";
    never [169, 254, 169, 254] / 32 "cloud metadata" "metadata";
    never [169, 254, 170, 2] / 32 "cloud metadata" "metadata";
    never [192, 0, 0, 192] / 32 "cloud metadata" "metadata";
    never [0, 0, 0, 0] / 8 "this network" "this_network";
    never [169, 254, 0, 0] / 16 "link-local" "link_local";
    never [192, 0, 0, 0] / 24 "protocol assignments" "protocol_assignments";
    never [192, 0, 2, 0] / 24 "documentation" "documentation";
    never [198, 51, 100, 0] / 24 "documentation" "documentation";
    never [203, 0, 113, 0] / 24 "documentation" "documentation";
    never [192, 88, 99, 0] / 24 "6to4 relay" "6to4_relay";
    never [198, 18, 0, 0] / 15 "benchmarking" "benchmarking";
    never [224, 0, 0, 0] / 4 "multicast" "multicast";
    never [255, 255, 255, 255] / 32 "broadcast" "broadcast";
    never [240, 0, 0, 0] / 4 "reserved" "reserved";
    local [127, 0, 0, 0] / 8 "loopback" "loopback";
    local [10, 0, 0, 0] / 8 "private" "private";
    local [172, 16, 0, 0] / 12 "private" "private";
    local [192, 168, 0, 0] / 16 "private" "private";
    local [100, 64, 0, 0] / 10 "shared" "shared";
};

/// IPv6, the same. The last three rows hold whatever else is not in 2000::/3.
pub(super) static V6: &[Row] = table! { v6:
    local [0, 0, 0, 0, 0, 0, 0, 1] / 128 "loopback" "loopback";
    never [0, 0, 0, 0, 0, 0, 0, 0] / 128 "unspecified" "unspecified";
    never [0x64, 0xff9b, 1, 0, 0, 0, 0, 0] / 48 "NAT64" "nat64";
    never [0, 0, 0, 0, 0, 0, 0, 0] / 8 "IPv4 in IPv6" "ipv4_in_ipv6";
    never [0x100, 0, 0, 0, 0, 0, 0, 0] / 64 "discard" "discard";
    never [0x100, 0, 0, 1, 0, 0, 0, 0] / 64 "discard" "discard";
    never [0x2001, 0, 0, 0, 0, 0, 0, 0] / 32 "Teredo" "teredo";
    never [0x2001, 0, 0, 0, 0, 0, 0, 0] / 23 "protocol assignments" "protocol_assignments";
    never [0x2001, 0xdb8, 0, 0, 0, 0, 0, 0] / 32 "documentation" "documentation";
    never [0x2002, 0, 0, 0, 0, 0, 0, 0] / 16 "6to4" "6to4";
    never [0x3fff, 0, 0, 0, 0, 0, 0, 0] / 20 "documentation" "documentation";
    never [0x5f00, 0, 0, 0, 0, 0, 0, 0] / 16 "segment routing" "segment_routing";
    never [0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254] / 128 "cloud metadata" "metadata";
    never [0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254] / 128 "cloud metadata" "metadata";
    local [0xfc00, 0, 0, 0, 0, 0, 0, 0] / 7 "unique local" "unique_local";
    never [0xfe80, 0, 0, 0, 0, 0, 0, 0] / 10 "link-local" "link_local";
    never [0xfec0, 0, 0, 0, 0, 0, 0, 0] / 10 "site-local" "site_local";
    never [0xff00, 0, 0, 0, 0, 0, 0, 0] / 8 "multicast" "multicast";
    never [0, 0, 0, 0, 0, 0, 0, 0] / 3 "not global unicast" "not_global";
    never [0x4000, 0, 0, 0, 0, 0, 0, 0] / 2 "not global unicast" "not_global";
    never [0x8000, 0, 0, 0, 0, 0, 0, 0] / 1 "not global unicast" "not_global";
};

/// The class of an address, once its embedding is undone.
#[must_use]
pub fn class(ip: IpAddr) -> Class {
    let ip = unmapped(ip);
    let table = if ip.is_ipv4() { V4 } else { V6 };
    match table.iter().find(|row| row.holds(ip)) {
        Some(row) if row.local => Class::Local(row),
        Some(row) => Class::Blocked(row),
        None => Class::Public,
    }
}

/// The IPv4 address that is reached where an IPv6 one only stands for it: mapped (RFC 4291 section
/// 2.5.5.2), and NAT64's own prefix (RFC 6052). Other embeddings are classes of their own.
#[must_use]
pub fn unmapped(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else { return ip };
    match v6.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] => {
            let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
            v4(a, b, c, d)
        }
        _ => ip,
    }
}

/// Whether the prefix of `bits` bits of `first` holds `ip`; never across families.
#[must_use]
pub(super) fn holds(first: IpAddr, bits: u8, ip: IpAddr) -> bool {
    match (first, ip) {
        (IpAddr::V4(first), IpAddr::V4(ip)) => {
            let differ = first.to_bits() ^ ip.to_bits();
            differ.leading_zeros() >= u32::from(bits)
        }
        (IpAddr::V6(first), IpAddr::V6(ip)) => {
            let differ = first.to_bits() ^ ip.to_bits();
            differ.leading_zeros() >= u32::from(bits)
        }
        _ => false,
    }
}

impl Row {
    /// Whether the range holds an address, as it stands.
    #[must_use]
    pub fn holds(&self, ip: IpAddr) -> bool {
        holds(self.first, self.bits, ip)
    }
}

#[cfg(test)]
pub(super) use tests::EDGES;

#[cfg(test)]
mod tests;
