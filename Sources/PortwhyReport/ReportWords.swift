internal import BindRules
internal import SocketModel

// The stable words of the report.

func verdictWord(_ result: CallResult) -> String {
  switch result {
  case .ok: "ok"
  case .fails: "fails"
  case .undetermined: "undetermined"
  }
}

func errnoName(_ result: CallResult) -> String? {
  if case .fails(let errno) = result { errno.description } else { nil }
}

/// `kind`, or `kind:socket` for a fact of one socket.
func missingWord(_ fact: MissingFact) -> String {
  fact.kind.rawValue + (fact.socket.map { ":\($0)" } ?? "")
}

/// What listen(2) answers; nil for UDP and where bind(2) fails, undetermined where bind(2) is.
func listenResult(_ outcome: BindOutcome, transport: TransportProtocol) -> CallResult? {
  transport == .tcp ? outcome.listen : nil
}

/// An unconnected UDP socket is in TCP_CLOSE, which the state already calls `BOUND`.
func stateName(_ socket: SocketObservation) -> String { socket.state.description }

/// The interface's name; its number as text where the host's interfaces do not tell.
func deviceName(_ index: InterfaceIndex, host: HostFacts) -> String {
  host.interface(index)?.name ?? String(index.rawValue)
}

func deviceName(_ device: BindDevice) -> String {
  switch device {
  case .interface(_, let name), .missing(let name): name
  }
}

func deviceIndex(_ device: BindDevice) -> InterfaceIndex? {
  if case .interface(let index, _) = device { index } else { nil }
}

/// The socket a flag was guessed from; nil where it was not guessed.
func relative(_ knowledge: Knowledge<Bool>) -> Int? {
  if case .inferred(_, let index, _) = knowledge { index } else { nil }
}

func sourceName(_ knowledge: Knowledge<Bool>) -> String? {
  switch knowledge {
  case .known(_, let source): source.rawValue
  case .inferred: "inferred"
  case .unknown: nil
  }
}

func hexadecimal(_ number: UInt64) -> String {
  let digits = String(number, radix: 16)
  return String(repeating: "0", count: 16 - digits.utf8.count) + digits
}
