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

/// The layer-3 domain of the bucket that an existing socket hangs on.
///
/// Kernel functions `inet_csk_get_port` and `inet_bind_bucket_create`: decided once, by the device and the sysctl of that
/// moment. What they are now says it only where there is no VRF that the device could have joined or left.
func tcpBucketDomain(of socket: SocketFacts, _ host: HostFacts) -> InterfaceIndex?? {
  if let domain = socket.bucketDomain { return .some(InterfaceIndex(kernel: domain)) }
  guard let interfaces = host.interfaces else { return socket.boundDevice == nil ? .some(nil) : nil }
  if interfaces.contains(where: { $0.vrfTable != nil }) { return nil }
  // One that has gone may have been a VRF.
  return socket.boundDevice.map { host.interface($0) == nil } == true ? nil : .some(nil)
}
