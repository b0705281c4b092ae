import CLinux
import Glibc
package import SocketModel
import Synchronization

/// What is read of a file, by its path below the directory of a process, or below /proc; or from `/`. Paths of more than
/// 1,015 bytes are no files.
package struct FileQuestion: Sendable, Hashable {
  fileprivate var what: Int
  fileprivate var limit: Int
  package let path: String

  /// The whole file, up to `limit` bytes. The default is ample for a process's own files, which are far smaller; a list
  /// of mounts can be long.
  package static func contents(_ path: String, limit: Int = 16 << 10) -> Self {
    Self(what: PORTWHY_FILE_CONTENTS, limit: limit, path: path)
  }

  /// readlinkat(2).
  package static func link(_ path: String) -> Self { Self(what: PORTWHY_FILE_LINK, limit: 0, path: path) }

  /// fstatat(2), symbolic links followed.
  package static func status(_ path: String) -> Self { Self(what: PORTWHY_FILE_STATUS, limit: 0, path: path) }

  /// The number of the mount on which it is, as mountinfo has it.
  package static func mount(_ path: String) -> Self { Self(what: PORTWHY_FILE_MOUNT, limit: 0, path: path) }

  /// The user namespace that owns a namespace (ioctl_ns(2)).
  package static func owner(_ path: String) -> Self { Self(what: PORTWHY_FILE_OWNER, limit: 0, path: path) }

  /// open(2) for reading; nobody waits for the writer of a FIFO.
  package static func opened(_ path: String) -> Self { Self(what: PORTWHY_FILE_OPENED, limit: 0, path: path) }

  /// The names in a directory; an error where they have more than `limit` bytes.
  package static func names(_ path: String, limit: Int = 1 << 20) -> Self {
    Self(what: PORTWHY_FILE_NAMES, limit: limit, path: path)
  }

  /// The path of a control group by its number, below where cgroup2 is mounted: on kernfs the number is the file handle of the
  /// directory (open_by_handle_at(2), Linux 5.5), and needs CAP_DAC_READ_SEARCH.
  package static func controlGroup(_ number: UInt64, mountedAt point: String) -> Self {
    let digits = String(number, radix: 16)
    let zeros = String(repeating: "0", count: 16 - digits.count)
    return Self(what: PORTWHY_FILE_GROUP, limit: 0, path: zeros + digits + point)
  }

  /// Whether the leader of the process group, as `stat` among the questions before has that, has gone while its session lives
  /// on.
  package static let groupLeader = Self(what: PORTWHY_FILE_LEADER, limit: 0, path: "")
}

/// A file that was opened for this process, closed with the last reference to it.
package final class OpenFile: Sendable, Hashable {
  package let descriptor: Int32

  /// Takes over a descriptor.
  package init(owning descriptor: Int32) { self.descriptor = descriptor }

  deinit { close(descriptor) }

  /// Each is itself alone.
  package static func == (one: OpenFile, other: OpenFile) -> Bool { one === other }
  package func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(self)) }
}

/// What the files of one process said, or those that are no process's.
package struct ToldProcess: Sendable {
  /// 0 for /proc itself.
  package let pid: Int32
  /// Those that were looked for, ascending by number.
  package fileprivate(set) var descriptors: [SocketDescriptor] = []
  /// All was read that was asked for; else it keeps its readers waiting.
  package fileprivate(set) var isWhole = false
  fileprivate let questions: [FileQuestion]
  fileprivate var answers: [(error: Int32, bytes: [UInt8], file: OpenFile?)] = []

  /// The first file that was asked for and not told.
  fileprivate var unanswered: FileQuestion? { questions.dropFirst(answers.count).first }

  private func answer(_ what: Int, _ path: String) -> (error: Int32, bytes: [UInt8], file: OpenFile?)? {
    for (question, answer) in zip(questions, answers) where question.what == what && question.path == path {
      return answer.error == 0 ? answer : nil
    }
    return nil
  }

  private func bytes(_ what: Int, _ path: String) -> [UInt8]? { answer(what, path)?.bytes }

  /// nil where it could not be read, as with the others.
  package func contents(_ path: String) -> [UInt8]? { bytes(PORTWHY_FILE_CONTENTS, path) }

  /// Invalid UTF-8 is repaired.
  package func link(_ path: String) -> String? {
    guard let target = bytes(PORTWHY_FILE_LINK, path), !target.isEmpty else { return nil }
    return String(decoding: target, as: UTF8.self)
  }

  package func status(_ path: String) -> FileStatus? { bytes(PORTWHY_FILE_STATUS, path).flatMap { FileStatus($0) } }

  package func mount(_ path: String) -> UInt64? {
    bytes(PORTWHY_FILE_MOUNT, path)?.withUnsafeBytes { $0.loadUnaligned(as: UInt64.self) }
  }

  package func owner(_ path: String) -> FileStatus? { bytes(PORTWHY_FILE_OWNER, path).flatMap { FileStatus($0) } }

  package func file(_ path: String) -> OpenFile? { answer(PORTWHY_FILE_OPENED, path)?.file }

  /// Unsorted, and without `.` and `..`; a name that is no UTF-8 is left out.
  package func names(_ path: String) -> [String]? {
    bytes(PORTWHY_FILE_NAMES, path)?.split(separator: 0).compactMap { name in
      String(validating: name, as: UTF8.self)
    }.filter { $0 != "." && $0 != ".." }
  }

  package func controlGroup(_ number: UInt64, mountedAt point: String) -> String? {
    bytes(PORTWHY_FILE_GROUP, FileQuestion.controlGroup(number, mountedAt: point).path).map {
      String(decoding: $0, as: UTF8.self)
    }
  }

  package var hasGroupLeaderGone: Bool { error("") == .noEntry }

  /// The errno for which a file could not be read; nil where it was.
  package func error(_ path: String) -> SystemError? {
    zip(questions, answers).first { $0.path == path && $1.error != 0 }.map { SystemError(rawValue: $1.error) }
  }

  /// The short command name, without its newline; nil where it is gone.
  package var command: String? {
    contents("comm").map { text in
      String(decoding: text.last == UInt8(ascii: "\n") ? text.dropLast() : text[...], as: UTF8.self)
    }
  }
}

extension FileQuestion {
  /// Where the file is, as far as it matters to who keeps a directory locked: one below `/` or `/proc`. nil for what is the
  /// child's own, and of another child somewhere else.
  fileprivate var place: String? {
    let path = what == PORTWHY_FILE_GROUP ? path.dropFirst(16) : path[...]
    // By bytes: a combining mark behind a separator would make another character of it.
    let names = path.utf8.split(separator: UInt8(ascii: "/")).map { String(Substring($0)) }
    let isFromRoot = path.utf8.first == UInt8(ascii: "/")
    let isOfProc = !isFromRoot || names.first == "proc"
    guard let first = names.dropFirst(isFromRoot && isOfProc ? 1 : 0).first, first != "self",
      first != "thread-self"
    else { return nil }
    return (isOfProc ? "/proc/" : "/") + first
  }
}

extension FileStatus {
  fileprivate init?(_ bytes: [UInt8]) {
    guard bytes.count == MemoryLayout<portwhy_file_status>.size else { return nil }
    self.init(bytes.withUnsafeBytes { $0.loadUnaligned(as: portwhy_file_status.self) })
  }
}

/// Whose files are read, and which.
package struct ProcessQuestion: Sendable {
  /// Whose.
  package enum Whom: Sendable {
    /// Of all who have a descriptor of a socket with one of these inodes.
    case holders(of: [UInt64])
    /// Of all who have one of another socket.
    case holdersOfOthers(than: [UInt64])
    /// Of one holder of each socket, those with the highest numbers first, for so many microseconds of processor time.
    case youngestHolders(of: [UInt64], within: UInt64)
    case everybody
    case named([Int32])
    /// Of these and their parents, up to the first process.
    case namedAndParents([Int32])
    /// Of these holders (descriptors of a process side by side), where /proc says the same of them; one that has ended since is
    /// passed over.
    case confirmed([(pid: Int32, descriptor: SocketDescriptor)])
  }

  package var whom: Whom
  package var files: [FileQuestion]
  package var rootFiles: [FileQuestion]
  /// Where the host has so many files open, each of which a walk looks at, or processes have four times as many descriptors
  /// in all, nothing is read, or no more; nil for no limit.
  package var manyFiles: Int?
  /// Microseconds of processor time after which a walk for holders is given up; nil for no limit.
  package var time: UInt64?
  /// So many of the files are read of the parents, too, of whom is found, up to the first process; they are kept (`lately`).
  package var parentFiles: Int

  package init(
    _ whom: Whom, _ files: [FileQuestion], rootFiles: [FileQuestion] = [], unlessOpen manyFiles: Int? = nil,
    within time: UInt64? = nil, ofParents parentFiles: Int = 0
  ) {
    self.parentFiles = parentFiles
    self.time = time
    self.whom = whom
    self.files = files
    self.rootFiles = rootFiles
    self.manyFiles = manyFiles
  }
}

/// What came of a question.
package struct ProcessReply: Sendable {
  /// How it ended.
  package enum End: Sendable, Hashable {
    case done
    /// The host has more files open than the question allowed.
    case manyFiles
    /// /proc says something else than was to be confirmed.
    case contradicted
    /// /proc cannot be read.
    case failed(SystemError)
    /// /proc itself keeps its readers waiting, or nobody is sent any more.
    case noAnswer
    /// The processor time that the question allowed is used up.
    case givenUp
  }

  package fileprivate(set) var end = End.noAnswer
  /// In the order in which they were looked at.
  package fileprivate(set) var processes: [ToldProcess] = []
  package fileprivate(set) var root: ToldProcess
  /// Processes that may not be looked at.
  package fileprivate(set) var refused: [(pid: Int32, error: SystemError)] = []
  /// Processes that keep who looks at them waiting; what else is told leaves them out.
  package fileprivate(set) var silent: [Int32] = []
  /// Somebody keeps who looks there waiting.
  package fileprivate(set) var isSilent = false
  /// How many processes there are; nil where they were not listed.
  package fileprivate(set) var processCount: Int?
  /// Process 1 is among them.
  package fileprivate(set) var hasFirst = false
}

/// Reads files of /proc and /sys, and others of the host, by a child of the thread that looks (CLinux/processfiles.h): of
/// processes, of this one too, and settings.
///
/// A process that keeps it waiting for `Errand.patience` is passed over from then on, three of them at most: then nothing
/// more is read. It is a class because the child ends with it.
package final class ProcessFiles {
  /// What is read: files that are the kernel's, or such as call what belongs to the process.
  package enum Kind: Sendable {
    case kernels
    case processes

    fileprivate var number: Int32 { Int32(self == .kernels ? PORTWHY_ERRAND_PROCESSES : PORTWHY_ERRAND_FILES) }
    /// After a wait for a file of the other kind nobody is asked any more.
    fileprivate var mostSilent: Int { self == .kernels ? 3 : 1 }
  }

  package let procRoot: String
  private let kind: Kind
  /// Milliseconds that a child may sleep for others: at one question, or else in all.
  private let patience: UInt32
  private let isForEach: Bool
  private var errand = portwhy_errand()
  /// Bytes that came from the child so far.
  private var received: UInt64 = 0
  /// 0 for /proc itself.
  private var silent: [Int32] = []
  /// Those of them whose name may be asked for: no look into their directory was stuck.
  private var named: Set<Int32> = []
  private var starts = 0
  /// What was told last of some of those who were found and of their parents.
  package private(set) var lately: [Int32: ToldProcess] = [:]
  /// Where a file is that was not told in time.
  private var silentPlace: String?
  /// The places of which a child, of whichever look, is still waiting for a file.
  private static let silentPlaces = Mutex<Set<String>>([])
  /// One that a child of an earlier look is still waiting for.
  private var passedOver: Int32?
  private var source: SilentSource?

  /// Waits for `Errand.patience` in all, or so many milliseconds for each question, where there is no end of them.
  package init(procRoot: String = "/proc", _ kind: Kind = .kernels, patienceForEach: UInt32? = nil) {
    self.procRoot = procRoot
    self.kind = kind
    patience = patienceForEach ?? Errand.patience
    isForEach = patienceForEach != nil
  }

  deinit { portwhy_dismiss(&errand) }

  /// Has one question answered by a child that has ended by then.
  package static func asked(_ question: ProcessQuestion) -> ProcessReply {
    let files = ProcessFiles()
    defer { files.end() }
    return files.ask(question)
  }

  /// Has it end at once: nothing more is asked.
  package func end() { portwhy_end_errand(&errand) }

  /// Who kept it waiting first, by name where that can be had; an earlier look's child may still be waiting for him.
  package func silentSource() -> SilentSource? {
    if let source { return source }
    guard let pid = silent.first ?? passedOver else { return nil }
    guard pid > 0 else {
      return .directory(silentPlace ?? "/proc", of: nil, command: nil)
    }
    var command: String?
    if named.contains(pid) {
      let reply = ask(ProcessQuestion(.named([pid]), [.contents("comm")]), passingOver: silent.filter { $0 != pid })
      command = reply.processes.first?.command
    }
    source = .directory("/proc/\(pid)", of: pid, command: command)
    return source
  }

  /// Has the files read.
  package func ask(_ question: ProcessQuestion) -> ProcessReply { ask(question, passingOver: silent) }

  private func ask(_ whole: ProcessQuestion, passingOver: [Int32]) -> ProcessReply {
    if isForEach {
      (errand.slept, errand.unheard, errand.brief) = (0, 0, 0)
      (silent, starts) = ([], 0)
    }
    var question = passingPlacesOver(whole)
    var reading = Reading(question)
    var passedOver = passingOver
    var after: Int32 = 0
    while silent.count < kind.mostSilent || errand.process != 0 {
      guard start(Request(question, after: after, passedOver)) else { break }
      var isSilent = false
      while reading.end == nil, receive(&reading, &isSilent) {}
      if let end = reading.end {
        // It waits for another question, and ends where there is none.
        errand.state?.pointee.finished = 1
        reading.reply.end = end
        self.passedOver = self.passedOver ?? reading.reply.silent.first
        break
      }
      guard let pid = leave(&reading, isSilent) else { break }
      if pid == 0 {
        // The others are asked for by another child.
        let asked = question.rootFiles.count
        question = passingPlacesOver(question)
        if question.rootFiles.count == asked { break }
        reading = Reading(question)
        continue
      }
      if reading.parents != nil {
        reading.reply.end = .done
        break
      }
      passedOver.append(pid)
      if question.isOfAll { after = pid } else { reading.forget() }
    }
    for process in reading.reply.processes.prefix(256) + (reading.parents ?? []) where question.parentFiles > 0 {
      lately[process.pid] = process
    }
    reading.reply.isSilent = !reading.reply.silent.isEmpty || question.rootFiles.count < whole.rootFiles.count
    return reading.reply
  }

  /// Without the files of places where somebody is known to keep who looks there waiting.
  private func passingPlacesOver(_ question: ProcessQuestion) -> ProcessQuestion {
    let silent = Self.silentPlaces.withLock { places in
      if !places.isEmpty, portwhy_waits_for_place(kind.number) == 0 { places = [] }
      return places
    }
    guard !silent.isEmpty else { return question }
    var rest = question
    rest.rootFiles.removeAll { file in
      guard let place = file.place, silent.contains(place) else { return false }
      silentPlace = silentPlace ?? place
      passedOver = passedOver ?? 0
      return true
    }
    // How many there are stands in a file of sysctls.
    if silent.contains("/proc/sys") { rest.manyFiles = nil }
    return rest
  }

  /// Has the child that has read files ask sockets too.
  /// - Returns: the answers by slot, and the place of the question at which it became silent; nil where another child has to.
  func ask(
    _ questions: [portwhy_socket_question], slots: Int, _ wants: Int32
  ) -> (answers: [portwhy_socket_answer], silent: Int?)? {
    guard kind == .kernels, errand.process != 0, let state = errand.state, slots <= Int(PORTWHY_RESERVED_SLOTS),
      portwhy_ask_too(&errand, questions, UInt32(questions.count), UInt32(slots), wants) == 0
    else { return nil }
    state.pointee.finished = 0
    var reading = Reading(ProcessQuestion(.named([]), []))
    var isSilent = false
    while reading.end == nil, receive(&reading, &isSilent) {}
    let answers = Array(UnsafeBufferPointer(start: errand.answers, count: slots))
    guard reading.end == nil else {
      state.pointee.finished = 1
      return (answers, nil)
    }
    // From now on it is one of those who ask sockets.
    errand.kind = Int32(PORTWHY_ERRAND_SOCKETS)
    let step = Int(state.pointee.step)
    portwhy_end_errand(&errand)
    return (answers, step)
  }

  private func start(_ request: Request) -> Bool {
    if errand.process != 0 {
      errand.state?.pointee.finished = 0
      if request.withHead({ portwhy_read_more(&errand, $0) }) == 0 { return true }
      // It was ended by somebody.
      portwhy_end_errand(&errand)
    }
    starts += 1
    received = 0
    guard starts <= kind.mostSilent + 1 else { return false }
    return request.withHead { portwhy_start_reading(&errand, kind.number, procRoot, $0) } == 0
  }

  /// False where the child is silent or has ended.
  private func receive(_ reading: inout Reading, _ isSilent: inout Bool) -> Bool {
    guard portwhy_await(&errand, patience) == 1 else {
      isSilent = true
      return false
    }
    var files = [Int32](repeating: -1, count: 8)
    var fileCount = UInt32(files.count)
    let bytes = [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
      count = max(portwhy_receive_files(&errand, buffer.baseAddress, buffer.count, &files, &fileCount), 0)
    }
    received += UInt64(bytes.count)
    reading.take(bytes, files.prefix(Int(fileCount)).map { $0 < 0 ? nil : OpenFile(owning: $0) })
    return !bytes.isEmpty
  }

  /// Lets go of a child that gives no answer; what it had found so far counts.
  /// - Returns: whom it was looking at; nil where it has ended by itself.
  private func leave(_ reading: inout Reading, _ isSilent: Bool) -> Int32? {
    let staged = [UInt8](unsafeUninitializedCapacity: Int(PORTWHY_STAGED_BYTES)) { buffer, count in
      count = portwhy_take_staged(&errand, received, buffer.baseAddress)
    }
    reading.take(staged)
    reading.breakOff()
    let pid = Int32(bitPattern: errand.state?.pointee.step ?? 0)
    let hasEnded = portwhy_end_errand(&errand) == 1
    guard isSilent else { return nil }
    if pid == 0, let place = reading.reply.root.unanswered?.place {
      silentPlace = silentPlace ?? place
      Self.silentPlaces.withLock { _ = $0.insert(place) }
    }
    silent.append(pid)
    if hasEnded { named.insert(pid) }
    reading.reply.silent.append(pid)
    return pid
  }
}

extension ProcessQuestion {
  /// Whoever is there is asked, in an order, so that a second child can go on behind the first.
  fileprivate var isOfAll: Bool {
    switch whom {
    case .holders, .holdersOfOthers, .youngestHolders, .everybody: true
    case .named, .namedAndParents, .confirmed: false
    }
  }
}

/// A question as `struct portwhy_process_request` and what follows it.
private struct Request {
  private var words: [UInt64]

  init(_ question: ProcessQuestion, after: Int32, _ passedOver: [Int32]) {
    var head = portwhy_process_request()
    var (inodes, descriptors): ([UInt64], [portwhy_descriptor]) = ([], [])
    func named(_ pids: [Int32]) -> [portwhy_descriptor] {
      pids.map { portwhy_descriptor(process: $0, number: -1, inode: 0) }
    }
    var whom: Int
    switch question.whom {
    case .holders(let sockets):
      (whom, inodes, head.microseconds) = (PORTWHY_HOLDERS, sockets.sorted(), question.time ?? 0)
    case .holdersOfOthers(let sockets): (whom, inodes) = (PORTWHY_HOLDERS_OF_OTHERS, sockets.sorted())
    case .youngestHolders(let sockets, let time):
      (whom, inodes, head.microseconds) = (PORTWHY_YOUNGEST_HOLDERS, sockets.sorted(), max(time, 1))
    case .everybody: whom = PORTWHY_EVERYBODY
    case .named(let pids): (whom, descriptors) = (PORTWHY_NAMED, named(pids))
    case .namedAndParents(let pids): (whom, descriptors) = (PORTWHY_NAMED_AND_PARENTS, named(pids))
    case .confirmed(let holders):
      (whom, head.microseconds) = (PORTWHY_CONFIRMED, question.time ?? 0)
      descriptors = holders.map { pid, descriptor in
        portwhy_descriptor(process: pid, number: descriptor.number, inode: descriptor.inode)
      }
    }
    head.whom = UInt32(whom)
    head.inodes = UInt32(clamping: inodes.count)
    head.descriptors = UInt32(clamping: descriptors.count)
    head.root_questions = UInt32(clamping: question.rootFiles.count)
    head.questions = UInt32(clamping: question.files.count)
    head.many_files = question.manyFiles.map { UInt32(clamping: max($0, 1)) } ?? 0
    head.after = after
    head.parent_questions = UInt32(clamping: question.parentFiles)
    withUnsafeMutableBytes(of: &head.silent) { places in
      let places = places.bindMemory(to: Int32.self)
      for (place, pid) in zip(places.indices, passedOver) { places[place] = pid }
    }
    let files = (question.rootFiles + question.files).map(portwhy_file_question.init)
    let headSize = MemoryLayout<portwhy_process_request>.size
    let size =
      headSize + inodes.count * 8 + descriptors.count * MemoryLayout<portwhy_descriptor>.stride
      + files.count * MemoryLayout<portwhy_file_question>.stride
    head.size = UInt32(clamping: size)
    words = [UInt64](repeating: 0, count: size / 8)
    words.withUnsafeMutableBytes { bytes in
      var place = 0
      func put(_ part: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[place...]).copyMemory(from: part)
        place += part.count
      }
      withUnsafeBytes(of: head) { put($0) }
      inodes.withUnsafeBytes { put($0) }
      descriptors.withUnsafeBytes { put($0) }
      files.withUnsafeBytes { put($0) }
    }
  }

  func withHead<Result>(_ body: (UnsafePointer<portwhy_process_request>?) -> Result) -> Result {
    words.withUnsafeBytes { body($0.baseAddress?.assumingMemoryBound(to: portwhy_process_request.self)) }
  }
}

extension portwhy_file_question {
  fileprivate init(_ question: FileQuestion) {
    self.init()
    what = UInt32(question.what)
    limit = UInt32(clamping: question.limit)
    withUnsafeMutableBytes(of: &path) { place in
      // With a NUL behind it. What is longer is no file, and nor is the empty path.
      guard question.path.utf8.count < place.count else { return }
      for (byte, letter) in zip(place.indices.dropLast(), question.path.utf8) { place[byte] = letter }
    }
  }
}

/// The frames of an answer, taken apart.
private struct Reading {
  var reply: ProcessReply
  private(set) var end: ProcessReply.End?
  private let question: ProcessQuestion
  /// What is not yet a whole frame.
  private var rest: [UInt8] = []
  /// Files that came before the frames that speak of them.
  private var files: [OpenFile?] = []
  private var current: ToldProcess?
  /// Once all were looked at, their parents.
  private(set) var parents: [ToldProcess]?

  init(_ question: ProcessQuestion) {
    self.question = question
    reply = ProcessReply(root: ToldProcess(pid: 0, questions: question.rootFiles))
  }

  mutating func take(_ bytes: [UInt8], _ more: [OpenFile?] = []) {
    files += more
    rest += bytes
    let size = MemoryLayout<portwhy_process_frame>.size
    let whole = rest
    let used = whole.withUnsafeBytes { all in
      var place = 0
      while all.count - place >= size {
        let frame = all.loadUnaligned(fromByteOffset: place, as: portwhy_process_frame.self)
        let length = Int(frame.length)
        guard all.count - place - size >= length else { break }
        place += size
        note(frame, UnsafeRawBufferPointer(rebasing: all[place..<place + length]))
        place += length
      }
      return place
    }
    if used > 0 { rest = Array(whole[used...]) }
  }

  private mutating func note(_ frame: portwhy_process_frame, _ bytes: UnsafeRawBufferPointer) {
    switch Int(frame.kind) {
    case PORTWHY_FRAME_FILE:
      let told = frame.process == 0 ? reply.root : current
      guard let told, told.questions.indices.contains(told.answers.count) else { break }
      var answer: (error: Int32, bytes: [UInt8], file: OpenFile?) = (frame.error, Array(bytes), nil)
      if frame.error == 0, told.questions[told.answers.count].what == PORTWHY_FILE_OPENED {
        answer.file = files.isEmpty ? nil : files.removeFirst()
        // It came, and there was no descriptor left for it.
        if answer.file == nil { answer.error = EMFILE }
      }
      if frame.process == 0 { reply.root.answers.append(answer) } else { current?.answers.append(answer) }
    case PORTWHY_FRAME_PROCESS:
      if current?.pid != frame.process {
        breakOff()
        current = ToldProcess(
          pid: frame.process,
          questions: parents == nil ? question.files : Array(question.files.prefix(question.parentFiles)))
      }
      for place in stride(from: 0, to: bytes.count, by: MemoryLayout<portwhy_descriptor>.stride) {
        let held = bytes.loadUnaligned(fromByteOffset: place, as: portwhy_descriptor.self)
        current?.descriptors.append(SocketDescriptor(number: held.number, inode: held.inode))
      }
    case PORTWHY_FRAME_WHOLE:
      current?.isWhole = true
      breakOff()
    case PORTWHY_FRAME_PARENTS: parents = []
    case PORTWHY_FRAME_REFUSED:
      current = nil
      if parents == nil { reply.refused.append((frame.process, SystemError(rawValue: frame.error))) }
    case PORTWHY_FRAME_SILENT: if !reply.silent.contains(frame.process) { reply.silent.append(frame.process) }
    case PORTWHY_FRAME_LISTED:
      reply.hasFirst = frame.error == 0
      reply.processCount = bytes.count >= 4 ? Int(bytes.loadUnaligned(as: UInt32.self)) : 0
    default:
      end =
        switch frame.error {
        case 0: .done
        case E2BIG: .manyFiles
        case ESTALE: .contradicted
        case ETIME: .givenUp
        case let error: .failed(SystemError(rawValue: error))
        }
    }
  }

  /// No more comes of the process that is being told.
  mutating func breakOff() {
    if let process = current {
      if parents == nil { reply.processes.append(process) } else { parents?.append(process) }
    }
    current = nil
    rest = []
  }

  /// All is asked once more.
  mutating func forget() { reply.processes.removeAll { $0.isWhole } }
}
