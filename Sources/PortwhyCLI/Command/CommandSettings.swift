/// What is wanted of `portwhy -- COMMAND`: the options before `--`.
struct CommandSettings: Hashable {
  var json = false
  var verbose = false
  var numeric = false
  var bpf = true
  var color = Invocation.Color.auto
  /// Where explanations go instead of standard error.
  var output: String?

  init() {}

  init(_ given: GivenOptions, _ color: Invocation.Color) {
    json = given.has(.json)
    verbose = given.has(.verbose)
    numeric = given.has(.numeric)
    bpf = !given.has(.noBPF)
    output = given.value(.output)
    self.color = color
  }
}
