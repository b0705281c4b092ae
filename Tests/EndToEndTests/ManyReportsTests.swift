import Glibc
import JSONTestSupport
import KernelLab
import Testing

@Suite("portwhy --from of many reports, and --ours", .enabled(if: endToEndTestsRun))
struct ManyReportsTests {
  @Test("tells one's own server from another's, now and from a report")
  func ours() throws {
    try NetworkNamespace.run { (_: inout NetworkNamespace) in
      try withServer("our $s = listener(8080);", port: 8080) { server in
        let (mine, other) = ("pid=\(server.pid)", "pid=1")
        let now = try portwhy(["--ours", mine, "8080"])
        #expect(now.status == 0 && now.headline.contains("ours"), "\(now)")
        #expect(try portwhy(["-q", "--ours", mine, "8080"]) == Ending(status: 0, output: "", errors: ""))
        #expect(try portwhy(["-q", "--wait", "--timeout", "0", "--ours", mine, "8080"]).status == 0)
        var place = [CChar](repeating: 0, count: 4096)
        let length = readlink("/proc/\(server.pid)/cwd", &place, place.count)
        let directory = String(decoding: place.prefix(max(0, length)).map { UInt8(bitPattern: $0) }, as: UTF8.self)
        #expect(try portwhy(["-q", "--ours", "cwd=" + directory, "8080"]).status == 0)
        let refused = try portwhy(["--ours", other, "8080"])
        #expect(refused.status == 1 && refused.output.contains("is not ours: does not match pid=1"), "\(refused)")
        let report = try portwhy(["--json", "8080"])
        try inDirectory { directory in
          try write(report.output, to: directory + "/one.json")
          #expect(try portwhy(["--from", directory + "/one.json", "-q", "--ours", mine]).status == 0)
          #expect(try portwhy(["--from", directory + "/one.json", "-q", "--ours", other]).status == 1)
          let saved = try portwhy(["--from", directory + "/one.json", "--ours", mine, "--json"])
          #expect(saved.output.contains(#""verdict":"ours","errno":"EADDRINUSE""#))
          #expect(saved.output.contains(#""headline":"8080/tcp is ours ("#) && !saved.output.contains("is taken"))
          // What was concluded there holds here as well.
          try write(saved.output, to: directory + "/ours.json")
          #expect(try portwhy(["--from", directory + "/ours.json", "-q"]).status == 0)
          #expect(try portwhy(["--from", directory + "/ours.json", "-q", "--ours", other]).status == 1)
        }
      }
    }
  }

  @Test("believes paths of the host alone: in a user's own mounts any program may have any name")
  func hostPaths() throws {
    let mounted = """
      mount -t tmpfs none /srv && mkdir /srv/app && cp /usr/bin/perl /srv/app/portal && cd /srv/app \
      && exec /srv/app/portal "$@"
      """
    let shell = ["/bin/sh", "-c", mounted, "sh"]
    let users = Start.asNobody.through + ["/usr/bin/unshare", "--user", "--map-root-user", "--mount"]
    let roots = ["/usr/bin/unshare", "--mount"]
    // The last word before the script is the program, which the shell takes the place of.
    let script = "our $s = listener($port);"
    let there = (program: "/srv/app/portal", directory: "/srv/app")
    let here = (program: "/usr/bin/perl", directory: "/usr")
    // Programs of root's start a user's, with his mounts, in a namespace that is root's. A service has one with the host's
    // files.
    let rows = [
      (users + shell, there, false), (roots + shell, there, false),
      (roots + ["/bin/sh", "-c", "cd /usr && exec /usr/bin/perl \"$@\"", "sh"], here, true),
    ]
    for (through, paths, isHosts) in rows {
      try NetworkNamespace.run { (_: inout NetworkNamespace) in
        let take = ["/usr/bin/perl", "-e", "my @w = @ARGV; splice(@w, $#w - 3, 1); exec {$w[0]} @w or die;"]
        try withServer(script, port: 8080, through: take + through) { server in
          for predicate in ["exe=" + paths.program, "cwd=" + paths.directory] {
            let ending = try portwhy(["--ours", predicate, "8080"])
            #expect(ending.status == (isHosts ? 0 : 1), "\(predicate): \(ending)")
          }
          let answer = try Answer(["8080"])
          let holder = answer.sockets.first?["processes"]?.elements.first
          #expect(holder?["executable"]?.text == paths.program && answer.pids == [Int(server.pid)])
          #expect(holder?["host_paths"]?.bool == isHosts && answer.violations() == [])
        }
      }
    }
  }

  @Test("a socket that somebody handed on is not its holder's to be ended for")
  func passed() throws {
    try NetworkNamespace.run { (_: inout NetworkNamespace) in
      // Made by nobody, held by a service's user alone.
      let script = "$> = 65534; our $s = listener($port); $> = 0; $( = $) = 101; ($<, $>) = (101, 101);"
      try withServer(script, port: 8080) { server in
        let answer = try Answer(["8080"])
        let suggestions = answer.attempts.flatMap { $0["suggestions"]?.elements ?? [] }
        let kinds = suggestions.compactMap { $0["kind"]?.text }
        #expect(kinds.contains("find-holder") && !kinds.contains("stop-holder"), "\(answer.ending.output)")
        let words = suggestions.compactMap { $0["command"]?.text }.joined(separator: " ")
        #expect(!words.contains("\(server.pid)"), "\(words)")
        #expect(answer.pids == [Int(server.pid)] && answer.violations() == [])
      }
    }
  }

  @Test(
    "confines itself before it reads a report (proc_pid_status(5), Seccomp)",
    .enabled(if: sanitizer != "address", "NOT RUN: the address sanitizer does not let itself be confined"))
  func confined() throws {
    try inDirectory { directory in
      let fifo = directory + "/report"
      #expect(mkfifo(fifo, 0o600) == 0)
      // Standard input has a writer that never writes: portwhy itself.
      let portwhy = try RunningProgram(["--from", "-"], through: ["/bin/sh", "-c", #"exec "$0" "$@" <>\#(fifo)"#])
      var isConfined = false
      for _ in 0..<3000 where !isConfined {
        usleep(10_000)
        let status = try contents(of: "/proc/\(portwhy.pid)/status")
        isConfined = status.contains("\nSeccomp:\t2\n") && status.contains("\nNoNewPrivs:\t1\n")
      }
      #expect(isConfined)
    }
  }

  @Test("folds what engines print, names what is no report, and ends as the worst host")
  func folded() throws {
    let (free, taken) = try NetworkNamespace.run { (_: inout NetworkNamespace) in
      let free = try portwhy(["--json", "8080"]).output
      let taken = try withServer("our $s = listener(8080);", port: 8080) { _ in
        try portwhy(["--json", "8080"]).output
      }
      return (free, taken)
    }
    try inDirectory { directory in
      let lines = (1...12).map { "web\($0): \(free)" }.joined()
      let file = directory + "/clush.txt"
      try write(lines, to: file)
      #expect(try portwhy(["--from", file]).status == 0)
      try write(lines + "db1: \(taken)lab1: No route to host\nlab2: {\"schema\":\"port\n", to: file)
      let table = try portwhy(["--from", file])
      #expect(table.status == 1 && table.errors == "", "\(table)")
      #expect(table.output.hasPrefix("8080/tcp on 0.0.0.0 and [::], 13 hosts\n"))
      #expect(
        table.output.contains("web[1-12]\n") && table.output.contains("No route to host")
          && table.output.contains("lab1"))
      #expect(table.output.contains("no answer, 2 hosts\n"))
      let quiet = try portwhy(["--from", file, "-q"])
      #expect(quiet == Ending(status: 1, output: "", errors: ""))
      let json = try portwhy(["--from", file, "--json"])
      let documents = json.output.split(separator: "\n")
      #expect(documents.count == 14 && documents.last?.hasPrefix(#"{"schema":"portwhy.fold/1""#) == true)
      let brief = try portwhy(["--from", file, "--brief"]).output.split(separator: "\n")
      #expect(brief.count == 28 && brief[0] == "web1: 8080/tcp 0.0.0.0 works")
      #expect(brief[24].hasPrefix("db1: 8080/tcp 0.0.0.0 fails EADDRINUSE listener "))
      #expect(brief.contains(#"lab1: no-answer No\x20route\x20to\x20host"#))
      // A version that is to come, and one host that is not asked alike.
      try write(
        "web1: \(free)web2: \(free.replacing("report/1", with: "report/2"))web3: {\"schema\":7}\nweb4: nonsense\n",
        to: file)
      let newer = try portwhy(["--from", file])
      #expect(newer.status == 2 && newer.output.contains("no answer, 3 hosts\n"), "\(newer)")
      #expect(newer.output.contains("  web2\n") && newer.output.contains("portwhy.report/1"))
      // A line that belongs to no host is named, and is not repeated: the file may be any.
      try write(free + "secret: word\n" + taken, to: file)
      let mixed = try portwhy(["--from", file])
      #expect(mixed.errors == "portwhy: \"\(file)\" line 2: no report\n", "\(mixed)")
      let directoryAnswer = try portwhy(["--from", directory, "--from", "-"])
      #expect(directoryAnswer.status == 1)
      let missing = try portwhy(["--from", directory, "--from", directory, "9090"])
      #expect(missing.status == 2 && missing.output.contains("the report does not have 9090/tcp"), "\(missing)")
    }
  }
}
