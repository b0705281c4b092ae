extension OptionSection {
  static let looking = OptionSection(
    title: "What is looked at",
    rows: [
      OptionRow(
        .deep, "deep", excludes: [.from], in: .target,
        help: "also other network namespaces and firewall redirects",
        manual: """
          Also what costs more than the answer and does not decide it: the port in other
          network namespaces, which do not block it, and firewall rules that redirect it
          before a socket sees the traffic.
          For these rules
          .Pa /usr/sbin/nft
          or
          .Pa /usr/sbin/iptables-save
          is run, where it is there and permitted; nothing else is ever run.
          """),
      OptionRow(
        .noBPF, "no-bpf", excludes: [.from], in: [.target, .command],
        help: "no BPF iterators, which root may use where they decide",
        manual: """
          Ask no BPF iterators.
          Without it they are asked, by a caller who has
          .Dv CAP_BPF
          and
          .Dv CAP_PERFMON
          and on kernels that show their own types (BTF), for what nothing else tells and
          what decides the answer: the options of sockets that no process has any more,
          what the kernel remembers of earlier binds of the port, and the order of UDP
          sockets.
          On a host with thousands of open files one also finds the holders of the
          sockets, much faster than a walk through
          .Pa /proc ,
          which has to confirm them.
          They read only and are gone when the answer is there.
          """),
    ])
}
