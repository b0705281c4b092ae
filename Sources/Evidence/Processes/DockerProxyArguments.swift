import SocketModel

/// `-container-ip ADDRESS -container-port PORT` of a docker-proxy, also written with two dashes or with `=`.
func dockerProxyTarget(arguments: [String]) -> Endpoint? {
  func value(_ name: String) -> String? {
    for (index, word) in arguments.enumerated() {
      let option = word.hasPrefix("--") ? word.dropFirst(2) : word.hasPrefix("-") ? word.dropFirst(1) : ""
      if option == name { return index + 1 < arguments.count ? arguments[index + 1] : nil }
      if option.hasPrefix(name + "=") { return String(option.dropFirst(name.count + 1)) }
    }
    return nil
  }
  guard let address = value("container-ip").flatMap({ IPAddress($0) }),
    let port = value("container-port").flatMap({ Port(decimal: $0[...]) })
  else { return nil }
  return Endpoint(address: address, port: port)
}
