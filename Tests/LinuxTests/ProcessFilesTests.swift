import Glibc
import Linux
import SocketModel
import Testing

@Suite("Files read by a child")
struct ProcessFilesTests {
  /// A directory of its own, removed afterwards with what the names say.
  private func withDirectory<Result>(_ names: [String], _ body: (String) throws -> Result) throws -> Result {
    var template = Array("/tmp/portwhy-files-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    defer { rmdir(path) }
    defer { for name in names { unlink("\(path)/\(name)") } }
    for name in names {
      let file = try #require(fopen("\(path)/\(name)", "w"))
      fputs(name, file)
      fclose(file)
    }
    return try body(path)
  }

  private func told(_ questions: [FileQuestion]) -> ToldProcess {
    ProcessFiles.asked(ProcessQuestion(.named([]), [], rootFiles: questions)).root
  }

  @Test("that are opened are those of their paths, however many, in whatever order they are asked for")
  func opened() throws {
    let names = (0..<40).map { "file\($0)" }
    try withDirectory(names) { directory in
      let paths = names.map { "\(directory)/\($0)" }
      // Others between them, and some that are not there.
      let questions = paths.flatMap { [FileQuestion.opened($0), .contents($0), .opened($0 + ".none")] }
      let told = told(questions)
      for (name, path) in zip(names, paths) {
        let file = try #require(told.file(path))
        var bytes = [UInt8](repeating: 0, count: 64)
        let count = pread(file.descriptor, &bytes, bytes.count, 0)
        #expect(String(decoding: bytes.prefix(max(count, 0)), as: UTF8.self) == name)
        #expect(fcntl(file.descriptor, F_GETFD) == FD_CLOEXEC)
        #expect(told.contents(path) == Array(name.utf8))
        #expect(told.file(path + ".none") == nil && told.error(path + ".none") == .noEntry)
      }
    }
  }

  @Test("are closed with the last reference to them")
  func closed() throws {
    let number = try #require(told([.opened("/etc/passwd")]).file("/etc/passwd")).descriptor
    // Other tests of this process may open one of that number.
    var (own, other) = (stat(), stat())
    try #require(stat("/etc/passwd", &own) == 0)
    #expect(fstat(number, &other) != 0 || other.st_ino != own.st_ino)
  }

  @Test("and names of a directory, without itself and its parent")
  func names() throws {
    let files = (0..<3000).map { "name\($0)" }
    try withDirectory(files) { directory in
      #expect(told([.names(directory)]).names(directory)?.sorted() == files.sorted())
      let tooMany = told([.names(directory, limit: 1000)])
      #expect(tooMany.names(directory) == nil && tooMany.error(directory) == .argumentTooLong)
      #expect(told([.names(directory + "/name1")]).error(directory + "/name1") == .notADirectory)
    }
  }

  @Test("of parents are found by stat alone")
  func parents() throws {
    let reply = ProcessFiles.asked(ProcessQuestion(.namedAndParents([getpid()]), [.contents("stat")]))
    #expect(reply.processes.map(\.pid).prefix(2) == [getpid(), getppid()])
  }

  @Test("of a path that is too long are not those of the path that it begins with")
  func long() throws {
    try withDirectory(["x"]) { directory in
      let long = directory + String(repeating: "/.", count: 510) + "/x"
      var status = stat()
      #expect(stat(long, &status) == 0)
      let told = told([.status(long), .names(long), .opened(long), .contents(long)])
      #expect(told.status(long) == nil && told.names(long) == nil && told.file(long) == nil)
      #expect(told.contents(long) == nil)
      let short = directory + String(repeating: "/.", count: 480) + "/x"
      #expect(self.told([.contents(short)]).contents(short) == Array("x".utf8))
    }
  }
}
