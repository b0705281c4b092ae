import KernelLab
import Testing

/// The bench itself, with a load of 60 sockets: it is run by hand, so a test must notice when it breaks.
@Suite(.enabled(if: NetworkNamespace.isPermittedOrRequired, "needs a private network namespace"))
struct BenchTests {
  @Test("the bench times every command on every kind of port, and draws it")
  func measuresAll() throws { try inDirectory { try measuresAll($0 + "/chart.svg") } }

  private func measuresAll(_ chart: String) throws {
    let bench = portwhyBinary.dropLast("portwhy".count) + "bench"
    let ending = try run(
      [String(bench), "--portwhy", portwhyBinary, "--loads", "smoke", "--no-callgrind", "--chart", chart], Start())
    #expect(ending.status == 0, "\(ending.errors)")
    for command in [
      "portwhy 8080", "portwhy --no-bpf 8080", "ss -tanp 'sport = :8080'", "ss -tan 'sport = :8081'", "portwhy 8082",
      "portwhy", "ss -tanp", "portwhy --from FILE", "portwhy --from FILE --json", "portwhy --from FILE -q",
      "portwhy -q 8083", "portwhy --json 8083",
    ] {
      let row = ending.lines.first { $0.hasPrefix("| `\(command)` |") }
      let cells = row?.split(separator: "|").dropFirst() ?? []
      let wall = cells.first.flatMap { Double($0.filter { $0 != " " }) } ?? 0
      #expect(wall > 0, "\(command): \(row ?? "no row")")
    }
    for promise in [
      "`portwhy -q --from`", "one port with 4,000 connections", "the binary, MB", "5 spawns behind `portwhy --`",
      "a failing bind behind `portwhy --` stands still",
    ] {
      #expect(ending.lines.contains { $0.hasPrefix("| \(promise)") }, "\(promise)")
    }
    let drawing = try run(["/usr/bin/cat", chart], Start()).output
    #expect(drawing.hasPrefix("<svg ") && drawing.hasSuffix("</svg>\n"))
    #expect(drawing.contains(">portwhy --json 8083</text>") && drawing.contains(">lsof -nP -iTCP:8080</text>"))
  }
}
