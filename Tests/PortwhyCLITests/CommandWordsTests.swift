import Testing

@testable import PortwhyCLI

@Suite("The words of a command line")
struct CommandWordsTests {
  @Test("hold every option of --help: each changes a field, and is counted among those given")
  func everyOption() throws {
    for name in options(in: helpText) {
      let words = try CommandWords.reading(words(giving: name))
      #expect(words != CommandWords(), "\(name) is lost")
      #expect(words.given.count == 1, "\(name): \(words.given)")
      #expect(name.hasPrefix("--") && name.count > 2 || words.given == [name], "\(name): \(words.given)")
    }
  }

  @Test("are all taken over from what ArgumentParser found")
  func everyField() throws {
    var changed: Set<String> = []
    let lines = try options(in: helpText).map(words(giving:)) + [["80"], ["--", "x"]]
    for line in lines {
      let found = Mirror(reflecting: CommandWords(try PortwhyOptions.reading(line))).children
      for (child, empty) in zip(found, Mirror(reflecting: CommandWords()).children) {
        if "\(child.value)" != "\(empty.value)", let label = child.label { changed.insert(label) }
      }
    }
    #expect(Set(Mirror(reflecting: CommandWords()).children.compactMap(\.label)).subtracting(changed) == [])
  }
}
