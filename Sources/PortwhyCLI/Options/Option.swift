/// The options of the command line, in the order of --help; `OptionTable` says everything about them.
enum Option: Int, CaseIterable, Hashable, Sendable {
  case tcp
  case udp
  case ipv4
  case ipv6
  case reuseaddr
  case reuseport
  case v6only
  case noV6only
  case runtime
  case device
  case uid
  case ours
  case system
  case capNetBind
  case netns
  case probe
  case deep
  case noBPF
  case wait
  case timeout
  case watch
  case interval
  case from
  case free
  case brief
  case json
  case quiet
  case verbose
  case numeric
  case color
  case output
  case explain
  case version
  case help
}
