import Linux
package import SocketModel

/// A firewall rule that sends a port's traffic elsewhere before a socket of the host sees it.
package struct PortRedirect: Sendable, Hashable {
  /// TCP or UDP.
  package var transport: TransportProtocol
  /// The ports, first and last included.
  package var ports: ClosedRange<UInt16>
  /// Where to, as the rule says: `172.17.0.2:80`, `port 3128`; nil where it does not tell.
  package var target: String?
  /// The chain: `ip nat DOCKER`.
  package var chain: String

  package init(transport: TransportProtocol, ports: ClosedRange<UInt16>, target: String?, chain: String) {
    self.transport = transport
    self.ports = ports
    self.target = target
    self.chain = chain
  }
}

extension HostReader {
  /// The DNAT and redirect rules of the calling thread's network namespace that name a port.
  ///
  /// `/usr/sbin/nft` is asked, and where that is missing, not permitted or shows none `/usr/sbin/iptables-save`; by
  /// absolute path and with an empty environment. Empty where neither answers. Rules that name their ports by a set
  /// or a map are not understood and left out.
  package func portRedirects() -> [PortRedirect] {
    var found: [PortRedirect] = []
    if let text = output(of: "/usr/sbin/nft", ["-nn", "list", "ruleset"]) { found = nftRedirects(text) }
    if found.isEmpty, let text = output(of: "/usr/sbin/iptables-save", ["-t", "nat"]) {
      found = iptablesRedirects(text)
    }
    return found
  }
}
