import SocketModel

/// The VRF a device belongs to: the inner nil is "none", the outer nil "not known".
///
/// Kernel function `l3mdev_master_ifindex_by_index`: the device's VRF master, or the device itself if it is the VRF.
func layer3Domain(of device: InterfaceIndex?, _ host: HostFacts) -> InterfaceIndex?? {
  guard let device else { return .some(nil) }
  guard host.interfaces != nil else { return nil }
  guard let interface = host.interface(device) else { return .some(nil) }
  if interface.vrfTable != nil { return .some(device) }
  guard let master = interface.master, host.interface(master)?.vrfTable != nil else { return .some(nil) }
  return .some(master)
}

/// The layer-3 domain that is part of the key of a TCP bind bucket, since Linux 5.0.
///
/// Kernel function `inet_sk_bound_l3mdev`: none at all with `net.ipv4.tcp_l3mdev_accept`.
func tcpBucketDomain(of device: InterfaceIndex?, _ host: HostFacts) -> InterfaceIndex?? {
  guard case .some(let domain) = layer3Domain(of: device, host) else {
    return host.tcpL3mdevAccept == true ? .some(nil) : nil
  }
  guard domain != nil, let accept = host.tcpL3mdevAccept else { return domain == nil ? .some(nil) : nil }
  return .some(accept ? nil : domain)
}

/// The layer-3 domain of the buckets that an existing socket hangs on.
///
/// Kernel functions `inet_csk_get_port` and `inet_bind_bucket_create`: decided once, by the device and the sysctl of that
/// moment. What they are now says it only where there is no VRF that the device could have joined or left. The bucket
/// by address (since 6.1) of a connection is chosen later, by the listener's device at accept(2)
/// (`__inet_inherit_port`) or the client's at connect(2) (`inet_bhash2_update_saddr`): it is taken for one of the same
/// domain only where device and sysctl still say that domain.
func tcpBucketDomain(of socket: SocketFacts, _ host: HostFacts) -> InterfaceIndex?? {
  if let read = socket.bucketDomain {
    let domain = InterfaceIndex(kernel: read)
    if socket.state == .listen || host.mayHaveVRFs == false { return .some(domain) }
    return tcpBucketDomain(of: socket.boundDevice, host) == .some(domain) ? .some(domain) : nil
  }
  switch host.mayHaveVRFs {
  case false?: return .some(nil)
  // Not looked for, where no socket has a device and there was no driver.
  case nil where socket.boundDevice == nil && host.interfaces == nil: return .some(nil)
  default:
    guard let interfaces = host.interfaces else { return nil }
    // The device may have been in a VRF that has been deleted since, or have been one.
    return interfaces.contains { $0.vrfTable != nil } || socket.boundDevice != nil ? nil : .some(nil)
  }
}
