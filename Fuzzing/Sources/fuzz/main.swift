import CLibFuzzer
import Glibc

// `fuzz TARGET [libFuzzer's words…]`, such as `fuzz btf -max_total_time=60 Corpus/btf`. libFuzzer starts itself again
// for -fork and -merge and does not repeat TARGET, which therefore is passed on in the environment.
let variable = "PORTWHY_FUZZ_TARGET"
var words = CommandLine.arguments
if words.count > 1, FuzzTarget(rawValue: words[1]) != nil {
  setenv(variable, words.remove(at: 1), 1)
}
guard FuzzTarget.chosen != nil else {
  print(FuzzTarget.allCases.map(\.rawValue).joined(separator: "\n"))
  exit(words.count > 1 ? 64 : 0)
}

var count = Int32(words.count)
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = .allocate(capacity: words.count + 1)
for (index, word) in words.enumerated() { arguments?[index] = strdup(word) }
arguments?[words.count] = nil
exit(
  LLVMFuzzerRunDriver(&count, &arguments) { data, size in
    FuzzTarget.chosen?.run(Array(UnsafeBufferPointer(start: data, count: size)))
    return 0
  })
