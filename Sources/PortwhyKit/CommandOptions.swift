import BindRules
import Explanation
import SocketModel

extension Question {
  /// The options of this question, for the suggestions that call portwhy again: without them the same words would
  /// be another question.
  private var commandOptions: [String] {
    var words: [String] = []
    if options.contains(.reuseaddr) { words.append("--reuseaddr") }
    if options.contains(.reuseport) { words.append("--reuseport") }
    if let v6only { words.append(v6only ? "--v6only" : "--no-v6only") }
    if let families, families.count == 1 { words.append(families.contains(.ipv4) ? "-4" : "-6") }
    if let device { words += ["--device", shellWord(device)] }
    if let uid { words += ["--uid", String(uid)] }
    if let runtime { words += ["--runtime", runtime.name] }
    if !bpf { words.append("--no-bpf") }
    if let namespace { words += ["--netns", shellWord(namespace.description)] }
    return words
  }

  /// A portwhy command with this question's options.
  func command(_ target: String) -> String { (["portwhy"] + commandOptions + [target]).joined(separator: " ") }

  /// The suggestions, with this question's options in every command that asks portwhy again.
  func completing(_ suggestions: [Suggestion]) -> [Suggestion] {
    let options = commandOptions
    guard !options.isEmpty else { return suggestions }
    return suggestions.map { suggestion in
      var suggestion = suggestion
      for prefix in ["portwhy ", "sudo portwhy "] {
        guard let command = suggestion.command, command.hasPrefix(prefix) else { continue }
        suggestion.command = prefix + (options + [String(command.dropFirst(prefix.count))]).joined(separator: " ")
        break
      }
      return suggestion
    }
  }
}
