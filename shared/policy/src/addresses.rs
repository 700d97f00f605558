//! How much of the internet the address ranges of a condition let in.

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// More IPv4 addresses than this, a sixteenth of all, are no network that anybody has: whoever wants one of them rents
/// it.
const MOST_V4: u64 = 1 << 28;

/// The same for IPv6: what a /8 has. A sixteenth of what is given out would be a /7.
const MOST_V6: u128 = 1 << 120;

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

/// Ranges that no caller from the internet has (<https://www.iana.org/assignments/iana-ipv4-special-registry>). Those
/// for documentation stand for anybody's in examples, so they are not among them.
const UNROUTED_V4: [Ipv4Net; 8] = [
    v4(0, 0, 0, 0, 8),
    v4(10, 0, 0, 0, 8),
    v4(100, 64, 0, 0, 10),
    v4(127, 0, 0, 0, 8),
    v4(169, 254, 0, 0, 16),
    v4(172, 16, 0, 0, 12),
    v4(192, 168, 0, 0, 16),
    v4(224, 0, 0, 0, 3),
];

const ALL_V4: Ipv4Net = v4(0, 0, 0, 0, 0);

/// All addresses that are given out to the internet so far
/// (<https://www.iana.org/assignments/ipv6-address-space>).
const ROUTED_V6: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0x2000, 0, 0, 0, 0, 0, 0, 0), 3);

/// IPv4 addresses in IPv6's clothes. Whether AWS takes them for what they are is written nowhere
/// (? mapped-addresses): they count as both.
const MAPPED: Ipv6Net = Ipv6Net::new_assert(Ipv6Addr::new(0, 0, 0, 0, 0, 0xffff, 0, 0), 96);

/// Addresses that somebody may call from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Addresses {
    v4: Vec<Ipv4Net>,
    v6: Vec<Ipv6Net>,
}

impl Addresses {
    /// Reads `192.0.2.0/24`, `192.0.2.1` and their like. None where one of them is neither: nobody knows what AWS makes
    /// of it. What nobody calls from is left out.
    pub(crate) fn read<'v>(ranges: impl Iterator<Item = &'v str>) -> Option<Self> {
        let mut addresses = Self::default();
        for range in ranges {
            let net = range.parse::<IpNet>().or_else(|_| range.parse::<IpAddr>().map(IpNet::from)).ok()?;
            match net {
                IpNet::V4(net) => addresses.add_v4(net),
                IpNet::V6(net) => {
                    if net.contains(&MAPPED) {
                        addresses.add_v4(ALL_V4);
                    } else if MAPPED.contains(&net)
                        && let Some(address) = net.addr().to_ipv4_mapped()
                        && let Ok(net) = Ipv4Net::new(address, net.prefix_len() - MAPPED.prefix_len())
                    {
                        addresses.add_v4(net);
                    }
                    if ROUTED_V6.contains(&net) {
                        addresses.v6.push(net);
                    } else if net.contains(&ROUTED_V6) {
                        addresses.v6.push(ROUTED_V6);
                    }
                }
            }
        }
        Some(addresses)
    }

    fn add_v4(&mut self, net: Ipv4Net) {
        if !UNROUTED_V4.iter().any(|unrouted| unrouted.contains(&net)) {
            self.v4.push(net);
        }
    }

    /// Takes in what others let in.
    pub(crate) fn add(&mut self, others: &Self) {
        self.v4.extend_from_slice(&others.v4);
        self.v6.extend_from_slice(&others.v6);
    }

    /// Whether they add up to so much of the internet that they are no limit.
    pub(crate) fn are_everybody(&self) -> bool {
        let sum_v4 = || {
            // A range is within another, or has nothing in common with it.
            let size = |net: &Ipv4Net| 1u64 << (32 - u32::from(net.prefix_len()));
            let nets = Ipv4Net::aggregate(&self.v4);
            let unrouted = UNROUTED_V4.iter().filter(|unrouted| nets.iter().any(|net| net.contains(*unrouted)));
            nets.iter().map(size).sum::<u64>() - unrouted.map(size).sum::<u64>()
        };
        let sum_v6 = || {
            let size = |net: &Ipv6Net| 1u128 << (128 - u32::from(net.prefix_len()));
            Ipv6Net::aggregate(&self.v6).iter().map(size).sum::<u128>()
        };
        (!self.v4.is_empty() && sum_v4() > MOST_V4) || (!self.v6.is_empty() && sum_v6() > MOST_V6)
    }

    /// Whether every one of them is in one of these networks.
    pub(crate) fn are_within<'n>(&self, networks: impl Iterator<Item = &'n IpNet> + Clone) -> bool {
        let known = |net: IpNet| networks.clone().any(|network| network.contains(&net));
        self.v4.iter().all(|net| known(IpNet::V4(*net))) && self.v6.iter().all(|net| known(IpNet::V6(*net)))
    }

    /// One of them, for a message.
    pub(crate) fn example(&self) -> Option<IpNet> {
        self.v4.first().copied().map(IpNet::V4).or_else(|| self.v6.first().copied().map(IpNet::V6))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(ranges: &[&str]) -> Addresses {
        Addresses::read(ranges.iter().copied()).unwrap()
    }

    #[test]
    fn what_is_no_range_is_none() {
        for text in ["", "*", "anything", "10.0.0.0/33", "10.0.0/8", "1.2.3.4/", "2001:db8::/129", " 1.2.3.4"] {
            assert_eq!(Addresses::read([text].into_iter()), None, "{text}");
        }
        assert_eq!(read(&["8.8.8.8"]), read(&["8.8.8.8/32"]));
    }

    #[test]
    fn what_nobody_calls_from_is_left_out() {
        for nobody in ["10.0.0.0/8", "10.1.2.3", "224.0.0.0/4", "fd00::/8", "fe80::1", "::1"] {
            assert_eq!(read(&[nobody]), Addresses::default(), "{nobody}");
        }
    }

    #[test]
    fn more_than_a_sixteenth_is_everybody() {
        #[track_caller]
        fn check(ranges: &[&str], expected: bool) {
            assert_eq!(read(ranges).are_everybody(), expected, "{ranges:?}");
        }
        for all in ["0.0.0.0/0", "1.2.3.4/0", "::/0", "2000::/3", "::ffff:0:0/96", "::/3"] {
            check(&[all], true);
        }
        check(&["16.0.0.0/4"], false);
        check(&["16.0.0.0/4", "4.4.4.4"], true);
        // Half of it is private or worse.
        check(&["224.0.0.0/3", "0.0.0.0/8", "16.0.0.0/4"], false);
        check(&["8.0.0.0/5"], false);
        check(&["192.0.0.0/4"], false);
        check(&["192.0.0.0/4", "192.168.0.0/24", "8.0.0.0/16"], false);
        check(&["192.0.0.0/4", "8.0.0.0/15"], true);
    }

    proptest! {
        /// Against counting the /8 networks one by one.
        #[test]
        fn the_sum_is_that_of_the_union(ranges in prop::collection::vec((0u8.., 1u8..=8), 1..12)) {
            let texts: Vec<String> = ranges.iter().map(|(first, prefix)| format!("{first}.0.0.0/{prefix}")).collect();
            let within = |octet: u32| ranges.iter().any(|(first,
                prefix)| octet >> (8 - prefix) == u32::from(*first) >> (8 - prefix));
            let routed: Vec<u32> = (0..224).filter(|octet| within(*octet) && ![0, 10, 127].contains(octet)).collect();
            let size = |octet: &u32| match octet {
                100 => (1 << 24) - (1 << 22),
                169 => (1 << 24) - (1 << 16),
                172 => (1 << 24) - (1 << 20),
                192 => (1 << 24) - (1 << 16),
                _ => 1 << 24,
            };
            let expected = routed.iter().map(size).sum::<u64>() > MOST_V4;
            let addresses = Addresses::read(texts.iter().map(String::as_str)).unwrap();
            prop_assert_eq!(addresses.are_everybody(), expected);
        }
    }
}
