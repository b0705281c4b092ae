import BindRules
import Glibc
import KernelLab
import Explanation
import SocketModel
import Testing

@testable import Answers

@Suite("The note about the other protocol", .enabled(if: NetworkNamespace.isPermittedOrRequired))
struct OtherProtocolTests {
  @Test("has a command with the options of the question, as every other command has")
  func options() throws {
    let (texts, port) = try NetworkNamespace.run(NamespaceConfiguration(devices: false)) { namespace in
      let port = try namespace.freshPort()
      let held = listener(port)
      defer { close(held) }
      let item = QuestionItem(addresses: [.wildcard], ports: port...port, transport: .udp)
      var question = Question(items: [item], plan: Plan(uid: 0, runtime: Runtime(named: "node")))
      question.usesBPF = false
      let target = try Portwhy.answerHere(question).targets.first
      return (target?.notes.filter { $0.kind == .otherProtocol }.map(\.text) ?? [], port)
    }
    #expect(texts.count == 1)
    #expect(texts.first?.hasSuffix("(portwhy --uid 0 --runtime node --no-bpf \(port)/tcp)") == true, "\(texts)")
  }
}
