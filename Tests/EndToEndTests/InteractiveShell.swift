import CProcessTestSupport
import Glibc

/// The shells for which there are completions.
enum Shell: String, CaseIterable, CustomStringConvertible, Sendable {
  case bash, zsh, fish

  var description: String { rawValue }

  var words: [String] {
    switch self {
    case .bash: ["/usr/bin/bash", "--norc", "--noprofile", "-i"]
    case .zsh: ["/usr/bin/zsh", "-f", "-i"]
    case .fish: ["/usr/bin/fish", "--no-config", "-i"]
    }
  }

  /// What a user's own configuration would say, then a key that shows the line as it stands: Control-G.
  func preparation(completions: String) -> String {
    switch self {
    case .bash:
      """
      PS1='> '; bind 'set show-all-if-ambiguous on'; bind 'set bell-style none'; bind 'set enable-bracketed-paste off'; \
      . '\(completions)/portwhy.bash'; bind -x '"\\C-g": printf "\\n{{%s}}\\n" "$READLINE_LINE"'
      """
    case .zsh:
      """
      PS1='> '; fpath=('\(completions)' $fpath); autoload -U compinit; compinit -u -D; unsetopt beep list_beep; \
      unset zle_bracketed_paste; show() { zle -I; print -r -- "{{$BUFFER}}" }; zle -N show; bindkey '^G' show
      """
    case .fish:
      """
      set -g fish_autosuggestion_enabled 0; set -g fish_greeting; function fish_prompt; echo -n '> '; end; \
      source '\(completions)/portwhy.fish'; bind \\cg 'echo; echo "{{"(commandline)"}}"; commandline -f repaint'
      """
    }
  }
}

/// A shell on a pseudo-terminal, into which a test types.
struct InteractiveShell: ~Copyable {
  private let process: pid_t
  private let terminal: Int32
  private var written: [UInt8] = []

  /// Starts it from the calling thread, so in its network namespace.
  /// - Parameters:
  ///   - directory: the current directory, which is the home directory too.
  ///   - path: PATH, with the directory of portwhy or without.
  init(_ shell: Shell, in directory: String, path: String, completions: String) throws {
    let environment = [
      "PATH=\(path)", "HOME=\(directory)", "TERM=xterm", "LC_ALL=C.UTF-8", "SHELL=\(shell.words[0])",
    ]
    var end: Int32 = -1
    process = withWords(shell.words) { words in
      withWords(environment) { environment in
        words.withUnsafeBufferPointer { words in
          environment.withUnsafeBufferPointer { environment in
            // The C declaration says const where execve(2) does not.
            words.withMemoryRebound(to: UnsafePointer<CChar>?.self) { words in
              environment.withMemoryRebound(to: UnsafePointer<CChar>?.self) { environment in
                test_start_on_terminal(words.baseAddress, environment.baseAddress, directory, 160, &end)
              }
            }
          }
        }
      }
    }
    terminal = end
    guard process > 0 else { throw StartError(what: "\(shell.words[0]) on a terminal") }
    type(shell.preparation(completions: completions) + "\n")
    // The answer to a line of its own, written so that its echo is none.
    type("echo rea''dy\n")
    guard waitFor({ $0.contains("\nready") }) else {
      throw StartError(what: "\(shell) does not get ready: \(text)")
    }
    takeUntilQuiet()
    written = []
  }

  deinit {
    // Of a terminal that could not be had it is -1: every process.
    guard process > 0 else { return }
    kill(process, SIGKILL)
    close(terminal)
    var status: Int32 = 0
    waitpid(process, &status, 0)
  }

  /// Types the keys and TAB.
  /// - Parameter expected: texts to wait for before the line is read; a list that never shows them costs half a minute.
  /// - Returns: the line as it stands then, and what was shown between.
  mutating func complete(_ keys: String, expecting expected: [String] = []) -> (line: String, shown: String) {
    written = []
    type(keys + "\t")
    if expected.isEmpty {
      takeUntilQuiet()
    } else {
      _ = waitFor { text in expected.allSatisfy(text.contains) }
    }
    let shown = text
    type("\u{07}")
    _ = waitFor { $0.contains("}}") }
    let line = text.firstMatch(of: /\{\{([^\n\r]*)\}\}/).map { String($0.1) } ?? "no line: \(text)"
    // Control-U: an empty line; typed too early it would be the terminal driver's (termios(3), VKILL).
    takeUntilQuiet()
    type("\u{15}")
    takeUntilQuiet()
    return (line, shown)
  }

  /// Microseconds from TAB to the text.
  mutating func time(_ keys: String, until expected: String) -> Int? {
    written = []
    type(keys)
    takeUntilQuiet()
    written = []
    let start = ContinuousClock.now
    type("\t")
    guard waitFor({ $0.contains(expected) }) else { return nil }
    let elapsed = ContinuousClock.now - start
    takeUntilQuiet()
    type("\u{15}")
    takeUntilQuiet()
    return Int(elapsed / .microseconds(1))
  }

  /// Types a line and returns what is shown until the text comes.
  mutating func run(_ line: String, until expected: String) -> String {
    written = []
    type(line + "\n")
    _ = waitFor { $0.contains(expected) }
    takeUntilQuiet()
    return text
  }

  /// Types keys, such as control characters, and returns what is shown until the text comes.
  mutating func press(_ keys: String, until expected: String) -> String {
    written = []
    type(keys)
    _ = waitFor { $0.contains(expected) }
    takeUntilQuiet()
    return text
  }

  /// What was written, every return and backspace a new line (Swift takes the two together for one character), without the sequences that move the cursor and change colours (ECMA-48).
  private var text: String {
    let newline = UInt8(ascii: "\n")
    let bytes = written.map { $0 == 8 || $0 == UInt8(ascii: "\r") ? newline : $0 }
    return String(decoding: bytes, as: UTF8.self)
      .replacing(/\u{1b}\[[0-9;?]*[a-zA-Z]|\u{1b}[()][A-Z0-9]|\u{1b}[=>]|\u{1b}\][^\u{07}]*\u{07}/, with: "")
  }

  private func type(_ keys: String) {
    var bytes = Array(keys.utf8)[...]
    while !bytes.isEmpty {
      let count = bytes.withUnsafeBytes { write(terminal, $0.baseAddress, $0.count) }
      if count <= 0 { return }
      bytes = bytes.dropFirst(count)
    }
  }

  /// Whether the text was as wanted within half a minute: shells that start among hundreds of tests are slow.
  private mutating func waitFor(_ isEnough: (String) -> Bool) -> Bool {
    let end = ContinuousClock.now + .seconds(30)
    while ContinuousClock.now < end {
      if isEnough(text) { return true }
      take(milliseconds: 100)
    }
    return isEnough(text)
  }

  /// Until nothing came for a while, as a person waits before typing on.
  private mutating func takeUntilQuiet() { while take(milliseconds: 150) {} }

  /// Whether something came.
  @discardableResult
  private mutating func take(milliseconds: Int32) -> Bool {
    var entry = pollfd(fd: terminal, events: Int16(POLLIN), revents: 0)
    guard poll(&entry, 1, milliseconds) > 0 else { return false }
    var buffer = [UInt8](repeating: 0, count: 65536)
    let count = buffer.withUnsafeMutableBytes { read(terminal, $0.baseAddress, $0.count) }
    guard count > 0 else { return false }
    written += buffer.prefix(count)
    return true
  }
}
