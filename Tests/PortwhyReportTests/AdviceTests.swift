import Answers
import BindRules
import Explanation
import SocketModel
import Testing

@testable import PortwhyReport

@Suite("What there is to do for a port")
struct AdviceTests {
  private func suggestion(_ kind: Suggestion.Kind, _ argv: [String]? = nil, _ text: String = "x") -> Suggestion {
    Suggestion(kind: kind, certainty: .checked, text: text, command: argv.map(Command.init(argv:)))
  }

  /// The kinds of the advice for a port whose addresses have these suggestions each, and which of it is for all.
  private func advice(_ attempts: [Suggestion]...) -> (all: [String], best: [Suggestion.Kind?]) {
    var target = target(sockets: [], attempts: ["127.0.0.1", "127.0.0.2", "127.0.0.3"].map { attempt($0) })
    for index in target.attempts.indices {
      target.attempts[index].explanation.suggestions = index < attempts.count ? attempts[index] : []
      if index >= attempts.count { target.attempts[index].outcomes = outcomes(worksFourTimes) }
    }
    let found = Advice(target)
    return (
      found.entries.map { "\($0.suggestion.word.rawValue) \($0.attempts.count)\($0.isComplete ? " all" : "")" },
      found.best.map(\.suggestion.kind)
    )
  }

  @Test("is four things at most, another port among them where there is one")
  func four() {
    let others: [Suggestion.Kind] = [.wait, .setOption, .stopHolder, .probe, .lookAsRoot]
    let port = suggestion(.otherPort)
    #expect(advice(others.prefix(4).map { suggestion($0) }).best == Array(others.prefix(4)))
    #expect(advice(others.map { suggestion($0) }).best == Array(others.prefix(4)))
    #expect(advice(others.map { suggestion($0) } + [port]).best == others.prefix(3) + [.otherPort])
    let early = [port] + others.map { suggestion($0) }
    #expect(advice(early).best == [.otherPort] + others.prefix(3))
    #expect(advice(others.prefix(3).map { suggestion($0) } + [port]).best == others.prefix(3) + [.otherPort])
  }

  @Test("is said once for all addresses that it helps, what helps all of them first")
  func once() {
    let (wait, stop) = (suggestion(.wait), suggestion(.stopHolder, ["kill", "7"]))
    #expect(advice([wait], [wait]).all == ["wait 2 all"])
    #expect(advice([wait, stop], [stop]).all == ["stop-holder 2 all", "wait 1"])
    #expect(advice([wait], [stop]).all == ["wait 1", "stop-holder 1"])
    #expect(advice([wait, wait]).all == ["wait 1 all"])
    // By kind for what every address has its own words for, by command or text for the rest.
    #expect(advice([suggestion(.otherAddress, nil, "a")], [suggestion(.otherAddress, nil, "b")]).all.count == 1)
    #expect(advice([suggestion(.changeSetting, nil, "a")], [suggestion(.changeSetting, nil, "b")]).all.count == 2)
    #expect(advice([suggestion(.changeSetting, nil, "a")], [suggestion(.changeSetting, nil, "a")]).all.count == 1)
    #expect(advice([suggestion(.reservePort, ["a"], "a")], [suggestion(.reservePort, ["a"], "b")]).all.count == 1)
    #expect(advice([suggestion(.reservePort, ["a"])], [suggestion(.reservePort, ["b"])]).all.count == 2)
    #expect(advice([suggestion(.wait)], [suggestion(.probe)]).all.count == 2)
    var there = suggestion(.setOption)
    there.optionWord = .known(.v6only)
    #expect(advice([suggestion(.setOption)], [there]).all.count == 2)
  }

  @Test("to end some of the holders is a part of ending all of them, and of nothing else")
  func parts() {
    let (one, both) = (suggestion(.stopHolder, ["kill", "7"]), suggestion(.stopHolder, ["kill", "7", "8"]))
    #expect(advice([one], [both]).all == ["stop-holder 2 all"] && advice([both], [one]).all == ["stop-holder 2 all"])
    #expect(advice([one], [suggestion(.findHolder, ["kill", "7", "8"])]).all == ["stop-holder 1", "find-holder 1"])
    #expect(advice([suggestion(.findHolder, ["kill", "7"])], [both]).all == ["find-holder 1", "stop-holder 1"])
    #expect(advice([one], [suggestion(.stopHolder, ["kill", "9"])]).all == ["stop-holder 1", "stop-holder 1"])
    #expect(advice([suggestion(.stopHolder)], [both]).all.count == 2)
  }

  @Test("and how the bind ends is left out only where one error comes before the port whatever the options")
  func beforeThePort() {
    func bindLine(_ errors: [SystemError]) -> Bool {
      let results = errors.map { (CallResult.fails($0), CallResult?.none) }
      let answer = report([target(sockets: [], attempts: [attempt("127.0.0.1", outcomes: outcomes(results))])])
      return Screen.render(answer, style: ScreenStyle()).split(separator: "\n").contains { $0.hasPrefix("bind  ") }
    }
    #expect(!bindLine([.accessDenied, .accessDenied, .accessDenied, .accessDenied]))
    #expect(bindLine([.addressInUse, .addressInUse, .addressInUse, .addressInUse]))
    #expect(bindLine([.accessDenied, .notPermitted, .noDevice, .invalidArgument]))
  }
}
