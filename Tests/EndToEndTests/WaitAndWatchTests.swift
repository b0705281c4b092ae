import BindRules
import Glibc
import JSONTestSupport
import KernelLab
import SocketModel
import Testing

/// A scenario with one holder, whose attempt does not matter.
private func only(_ kind: HolderKind, _ proto: HolderProtocol = .tcp) -> Scenario {
  Scenario([Holder(kind, proto, .v4(.any))], Attempt(proto == .udp ? .udp : .tcp, .v4(.any)))
}

@Suite("portwhy --wait", .enabled(if: endToEndTestsRun))
struct WaitTests {
  @Test(
    "ends when what is in the way ends",
    arguments: [(HolderKind.listening, HolderProtocol.tcp), (.bound, .tcp), (.bound, .udp)])
  func ends(_ kind: HolderKind, _ proto: HolderProtocol) throws {
    let result = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(kind, proto))
      let target = "\(copy.port)\(proto == .udp ? "/udp" : "")"
      var program = try RunningProgram(["--wait", target])
      let early = program.wait(seconds: 2)
      _ = consume copy
      let status = program.wait(seconds: 60)
      return (early, status, program.text, program.errorText)
    }
    #expect(result.0 == nil)
    #expect(result.1 == 0)
    // A wait that missed the end would go on for ever.
    #expect(result.2.contains(" is free\n"))
    #expect(result.3 == "")
  }

  @Test("ends when a listener is shut down and closed by another name, which nothing announces in full")
  func shutDown() throws {
    let status = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--wait", "-q", "--reuseaddr", "\(copy.port)"])
      let early = program.wait(seconds: 1)
      if let main = copy.sockets[0].main { shutdown(main, Int32(SHUT_RDWR)) }
      // Bound without SO_REUSEADDR it still stands in the way.
      let later = program.wait(seconds: 2)
      _ = consume copy
      return [early, later, program.wait(seconds: 30)]
    }
    #expect(status == [nil, nil, 0])
  }

  @Test(
    "gives up after --timeout with the status of the last answer",
    arguments: [["--timeout", "0"], ["--timeout", "0.4"], ["--timeout", "1", "-q"]])
  func timeout(_ words: [String]) throws {
    let ending = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      let ending = try portwhy(["--wait"] + words + ["\(copy.port)"])
      _ = consume copy
      return ending
    }
    #expect(ending.status == 1)
    #expect(ending.errors == "")
    #expect(ending.output.isEmpty == words.contains("-q"))
  }

  @Test("gives up undetermined with 2, and with --json prints one report")
  func undetermined() throws {
    let ending = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(
        Scenario([Holder(.child(.timeWait, listenerStays: false), .tcp, .v4(.loopback))], Attempt(.tcp, .v4(.any))))
      let ending = try portwhy(["--wait", "--timeout", "1.2", "--json", "--reuseaddr", "-4", "\(copy.port)"])
      _ = consume copy
      return ending
    }
    let document = try JSONDocument(parsing: ending.output)
    let verdict = document["targets"]?.elements.first?["verdict"]?.text
    // With BPF evidence the flags of a TIME_WAIT socket are known.
    #expect(verdict == (ending.status == 2 ? "undetermined" : "fails"))
    #expect(ending.output.filter { $0 == "\n" }.count == 1)
  }

  @Test("uses next to no processor time while nothing happens")
  func idle() throws {
    let ticks = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--wait", "\(copy.port)"])
      _ = program.wait(seconds: 1)
      let before = program.processorTicks
      _ = program.wait(seconds: 3)
      let after = program.processorTicks
      _ = consume copy
      _ = program.wait(seconds: 3)
      return after - before
    }
    // Three looks of a debug build, beside tests that open thousands of files; a loop that never sleeps would use 300.
    #expect(ticks < 150)
  }

  @Test(
    "counts down on a terminal, and a signal erases the line and ends it as it ends others",
    arguments: [SIGINT, SIGTERM])
  func signals(_ signal: Int32) throws {
    let (drew, status, errors, output) = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--wait", "--timeout", "100", "\(copy.port)"], errorsAreTerminal: true)
      let drew = program.read { _, errors in errors.contains("giving up in") }
      program.send(signal)
      let status = program.wait(seconds: 30)
      _ = consume copy
      return (drew, status, program.errorText, program.text)
    }
    #expect(drew)
    #expect(status == -(128 + signal))
    #expect(errors.hasPrefix("\rwaiting for "))
    #expect(errors.hasSuffix("\r\u{1b}[K"))
    #expect(!errors.contains("\n"))
    #expect(output == "")
  }

  @Test("leaves no countdown behind when it ends by itself, and none is drawn where there is no terminal")
  func tidy() throws {
    let (errors, output) = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--wait", "\(copy.port)"], errorsAreTerminal: true)
      _ = program.read { _, errors in errors.contains("so far") }
      _ = consume copy
      _ = program.wait(seconds: 30)
      return (program.errorText, program.text)
    }
    #expect(errors.hasSuffix("\r\u{1b}[K"))
    #expect(output.contains(" works\n"))
  }
}

@Suite("portwhy --watch", .enabled(if: endToEndTestsRun))
struct WatchTests {
  @Test("--json gives one whole report a line, and a reader that goes ends it silently")
  func json() throws {
    let (lines, errors) = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--watch", "--json", "--interval", "0.1", "\(copy.port)"])
      _ = program.read { output, _ in output.filter { $0 == "\n" }.count >= 5 }
      _ = consume copy
      return (program.text.split(separator: "\n").prefix(5).map(String.init), program.errorText)
    }
    #expect(lines.count == 5)
    for line in lines {
      #expect(try JSONDocument(parsing: line)["targets"]?.elements.first?["verdict"]?.text == "fails")
    }
    #expect(errors == "")
  }

  @Test("ends by itself when nobody reads any more, with the status of the answer and without a word")
  func closedPipe() throws {
    let status = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      // A pipe whose other end is head(1).
      let ending = try run(
        "set -o pipefail; \(portwhyBinary) --watch --interval 60 \(copy.port) | head -1 >&2", as: Start())
      _ = consume copy
      return ending
    }
    #expect(status.status == 1)
    #expect(status.errors.split(separator: "\n").count == 1)
  }

  @Test("shows what changes, screens apart by an empty line, and holds no more descriptors after many looks")
  func screens() throws {
    let (text, before, after, status) = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--watch", "--interval", "0.1", "\(copy.port)"])
      _ = program.read { output, _ in output.contains("EADDRINUSE") }
      _ = consume copy
      _ = program.read { output, _ in output.contains("free, ") }
      let before = program.fewestDescriptors()
      _ = program.wait(seconds: 3)
      let after = program.fewestDescriptors()
      program.send(SIGINT)
      return (program.text, before, after, program.wait(seconds: 30))
    }
    #expect(text.contains("EADDRINUSE"))
    #expect(text.contains("\n\n"))
    #expect(!text.contains("\u{1b}"))
    #expect(before >= 3)
    #expect(after == before)
    #expect(status == -(128 + SIGINT))
  }

  @Test("draws over its last screen on a terminal, and leaves line wrapping on")
  func redraw() throws {
    let text = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(only(.listening))
      var program = try RunningProgram(["--watch", "--interval", "0.1", "\(copy.port)"], outputIsTerminal: true)
      _ = program.read { output, _ in output.components(of: "\u{1b}[?7h") >= 3 }
      _ = consume copy
      return program.text
    }
    #expect(text.hasPrefix("\u{1b}[2J"))
    #expect(text.components(of: "\u{1b}[2J") == 1)
    #expect(text.components(of: "\u{1b}[H") >= 3)
  }
}

@Suite("portwhy --from", .enabled(if: endToEndTestsRun))
struct FromTests {
  @Test("answers as the host did, somewhere else, whoever asked there", arguments: [false, true])
  func elsewhere(_ isNobody: Bool) throws {
    let start = isNobody ? Start.asNobody : Start()
    let (ending, report) = try NetworkNamespace.run { namespace in
      let copy = try namespace.build(
        Scenario(
          [Holder(.child(.timeWait, listenerStays: true), .tcp, .v4(.loopback), options: reuseaddr)],
          Attempt(.tcp, .v4(.any))))
      let ending = try portwhy(["-v", "--reuseaddr", "\(copy.port)"], start)
      let report = try portwhy(["--json", "--reuseaddr", "\(copy.port)"], start)
      _ = consume copy
      return (ending, report)
    }
    let path = "/tmp/wait-\(getpid())-\(isNobody).json"
    guard let file = fopen(path, "w") else { throw StartError(what: path) }
    fputs(report.output, file)
    fclose(file)
    defer { unlink(path) }
    let again = try portwhy(["--from", path])
    #expect(again.status == ending.status)
    #expect(again.headline.untimed == ending.headline.untimed)
    var piped = Start()
    piped.input = .file(path)
    let status = try portwhy(["--from", "-", "-q"], piped)
    #expect(status.status == ending.status)
    #expect(status.output + status.errors == "")
  }

  @Test("says in one line what is wrong with a report", arguments: ["/dev/null", "/", "/nonexistent", "/etc/passwd"])
  func useless(_ path: String) throws {
    let ending = try portwhy(["--from", path])
    #expect(ending.status == 64)
    #expect(ending.output == "")
    #expect(ending.errors.hasPrefix("portwhy: cannot "))
    #expect(ending.errors.filter { $0 == "\n" }.count == 1)
  }
}

extension String {
  fileprivate func components(of part: String) -> Int { ranges(of: part).count }
}

/// A line of shell.
private func run(_ line: String, as start: Start) throws -> Ending {
  var start = start
  start.through = ["/bin/bash", "-c", line]
  return try portwhy([], start)
}
