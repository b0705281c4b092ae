import Glibc
import Linux
import SocketModel
import Testing

@testable import Evidence

private let descriptorsAreCounted = ((try? FileStatus(ofFile: "/proc/self/fd").size) ?? 0) > 0

/// Someone else's word for who holds sockets, on a host with more open files than the reader thinks many.
@Suite struct HolderSearchTests {
  /// What the reader says of a socket of a helper process, how often it asked, and what a walk says.
  private func examined(
    manyFiles: Int = 1, _ search: (DescriptorHolder) -> [DescriptorHolder]?
  ) throws -> (searched: [ProcessRecord], walked: [ProcessRecord], asked: Int) {
    try withHelper("my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s); open(our $more, '>&', $s);") { helper in
      let socket = try helper.socket("s")
      var reader = ProcessReader()
      reader.manyFiles = manyFiles
      var (searched, walked, asked) = ([observation(inode: socket.inode)], [observation(inode: socket.inode)], 0)
      _ = reader.examine(
        &searched,
        search: { inodes in
          asked += 1
          #expect(inodes == [socket.inode])
          return search(DescriptorHolder(pid: helper.pid, descriptor: socket.descriptor, inode: socket.inode))
        })
      _ = ProcessReader().examine(&walked)
      #expect(searched[0].reuseaddr == walked[0].reuseaddr)
      return (searched[0].processes, walked[0].processes, asked)
    }
  }

  @Test("what /proc confirms counts, as found")
  func confirmed() throws {
    let both = try examined { [$0, DescriptorHolder(pid: $0.pid, descriptor: $0.descriptor + 1, inode: $0.inode)] }
    #expect(both.asked == 1 && both.searched == both.walked && both.walked.count == 1)
    // The reader does not look for more than it was told, which shows that it did not walk.
    let one = try examined { [$0] }
    #expect(one.searched.first?.descriptors.count == 1 && one.walked.first?.descriptors.count == 2)
  }

  enum Untruth: CaseIterable {
    case anotherSocket, anotherDescriptor, noSuchDescriptor

    func told(of holder: DescriptorHolder) -> DescriptorHolder {
      var told = holder
      switch self {
      case .anotherSocket: told.inode += 1
      case .anotherDescriptor: told.descriptor = 0
      case .noSuchDescriptor: told.descriptor = 900
      }
      return told
    }
  }

  @Test("a holder that /proc does not confirm has everything walked", arguments: Untruth.allCases)
  func contradicted(_ untruth: Untruth) throws {
    let answer = try examined { [$0, untruth.told(of: $0)] }
    #expect(answer.asked == 1 && answer.searched == answer.walked && answer.walked.count == 1)
  }

  @Test("a holder that has ended since is passed over")
  func ended() throws {
    let answer = try examined {
      // The highest PID_MAX_LIMIT, which no process gets.
      [$0, DescriptorHolder(pid: 4_194_304, descriptor: 3, inode: $0.inode)]
    }
    #expect(answer.searched.map(\.pid) == answer.walked.map(\.pid) && answer.searched.first?.descriptors.count == 1)
  }

  @Test("where the search cannot tell, or finds nobody, everything is walked", arguments: [true, false])
  func unable(_ findsNobody: Bool) throws {
    let answer = try examined { _ in findsNobody ? [] : nil }
    #expect(answer.asked == 1 && answer.searched == answer.walked && answer.walked.count == 1)
  }

  @Test(
    "duplicates count as descriptors that a walk looks at, though they are no more open files",
    .enabled(if: descriptorsAreCounted, "before 6.2 /proc does not say how many descriptors a process has"))
  func duplicates() throws {
    // Other tests open hundreds of thousands for a moment.
    var open = Int.max
    while open > 100_000 {
      usleep(100_000)
      guard case .text(let numbers) = readText("/proc/sys/fs/file-nr") else { throw SystemError.noEntry }
      open = try #require(numbers.split(separator: "\t").first.flatMap { Int($0) })
    }
    let manyFiles = open + 3_000
    let count = 4 * manyFiles + 100
    // prlimit64(2) of RLIMIT_NOFILE: as many as one process may have without a privilege, and children have the same again.
    // dup(2) without a file handle of perl's, which takes a kilobyte.
    let script = """
      my $s = make(AF_INET, SOCK_STREAM, [], 0);
      my ($prlimit64, $dup) = `uname -m` =~ /x86_64/ ? (302, 32) : (261, 23);
      my $limits = "\\0" x 16;
      syscall($prlimit64, 0, 7, 0, $limits) == 0 or die "prlimit64: $!";
      my (undef, $hard) = unpack('QQ', $limits);
      my $each = $hard < 10_000 ? $hard : 10_000;
      syscall($prlimit64, 0, 7, pack('QQ', $each, $hard), 0) == 0 or die "prlimit64: $!";
      $each -= 100;
      open(my $null, '<', '/dev/null') or die "/dev/null: $!";
      my $number = fileno $null;
      for (1 .. $each) { syscall($dup, $number) >= 0 or die "dup: $!"; }
      for (1 .. \(count) / $each) {
        my $child = fork; die "fork: $!" unless defined $child;
        next if $child;
        close($s); <STDIN>; exit;
      }
      END { 1 while wait > 0 }
      show('s', $s);
      """
    try withHelper(script) { helper in
      let socket = try helper.socket("s")
      var reader = ProcessReader()
      reader.manyFiles = manyFiles
      var sockets = [observation(inode: socket.inode)]
      var asked = 0
      _ = reader.examine(
        &sockets,
        search: { _ in
          asked += 1
          return nil
        })
      #expect(asked == 1)
      #expect(sockets[0].processes.map(\.pid) == [helper.pid])
    }
  }

  @Test("a walk that takes too long is given up, and what it did not find has no answer")
  func tooLong() throws {
    try withHelper("my $s = make(AF_INET, SOCK_STREAM, [], 0); show('s', $s);") { helper in
      let socket = try helper.socket("s")
      var reader = ProcessReader()
      reader.patience = 1
      var sockets = [observation(inode: socket.inode)]
      let visibility = reader.examine(&sockets)
      #expect(sockets[0].processes.isEmpty && sockets[0].reuseaddr == .unknown(.noAnswer))
      #expect(visibility.reasons.contains(.noAnswer) && visibility.silent == .longWalk)
    }
  }

  @Test("a host with few open files is walked at once")
  func few() throws {
    let answer = try examined(manyFiles: .max) { [$0] }
    #expect(answer.asked == 0 && answer.searched == answer.walked && answer.walked.count == 1)
  }
}
