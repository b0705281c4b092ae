import BindRules
import Explanation

// How often each runtime of the catalogue is met behind a listening socket, a guess from what hosts run; 1 for those that
// are not named.
private let commonness: [String: Int] = [
  "go": 12, "node": 10, "java": 10, "nginx": 10, "sshd": 10, "systemd": 8, "python": 6, "postgres": 6, "redis": 5,
  "apache": 4, "mariadb": 4, "dotnet": 4, "dnsmasq": 3, "rust": 3, "uvicorn": 3, "php": 2, "ruby": 2, "gunicorn": 2,
  "asyncio": 2, "memcached": 2, "haproxy": 2,
]

/// The options of the TCP servers of the ordinary mix: those of the catalogue, each as often as its weight.
let catalogueOptions: [UsualOptions] = Runtime.catalogue.flatMap { runtime -> [UsualOptions] in
  guard let defaults = runtime.tcp else { return [] }
  let v6only: Bool? =
    switch defaults.v6only {
    case .set: true
    case .cleared: false
    case .host: nil
    }
  let options = UsualOptions(reuseaddr: defaults.reuseaddr, reuseport: defaults.reuseport, v6only: v6only)
  return Array<UsualOptions>(repeating: options, count: commonness[runtime.name] ?? 1)
}

/// The weights, a line.
let catalogueMix =
  "servers: " + Runtime.catalogue.map { "\($0.name)=\(commonness[$0.name] ?? 1)" }.joined(separator: " ")
