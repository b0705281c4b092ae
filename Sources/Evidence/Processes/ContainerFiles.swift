import Linux

/// What its engine calls a container.
struct ContainerLabel: Sendable, Hashable {
  var name: String?
  var image: String?

  /// nil where the files say neither.
  init?(name: String?, image: String?) {
    guard name != nil || image != nil else { return nil }
    self.name = name
    self.image = image
  }

  /// Reads it from the files in which engines keep the names of their containers; no daemon is asked.
  ///
  /// - Parameters:
  ///   - container: the full id.
  ///   - root: where /var and /run are.
  init?(of container: String, engine: String?, in root: borrowing Descriptor) {
    // An id is part of a path here.
    guard container.utf8.allSatisfy({ $0 != UInt8(ascii: "/") }), container != "..", !container.isEmpty else {
      return nil
    }
    switch engine {
    case "docker":
      guard let file = Self.read("var/lib/docker/containers/\(container)/config.v2.json", root) else { return nil }
      let name = file["Name"]?.text.map { $0.hasPrefix("/") ? String($0.dropFirst()) : $0 }
      self.init(name: name, image: file["Config"]?["Image"]?.text)
    case "podman":
      let path = "var/lib/containers/storage/overlay-containers/containers.json"
      guard let file = Self.read(path, root), let entry = file.elements.first(where: { $0["id"]?.text == container })
      else { return nil }
      // The metadata are a text that is JSON once more.
      let metadata = (entry["metadata"]?.text).flatMap { JSONTree(parsing: Array($0.utf8)) }
      self.init(name: entry["names"]?.elements.first?.text, image: metadata?["image-name"]?.text)
    case "kubernetes":
      let runtimes = [
        "run/containerd/io.containerd.runtime.v2.task/k8s.io/\(container)/config.json",
        "run/k3s/containerd/io.containerd.runtime.v2.task/k8s.io/\(container)/config.json",
        "run/containers/storage/overlay-containers/\(container)/userdata/config.json",
      ]
      var found: JSONTree?
      for path in runtimes where found == nil { found = Self.read(path, root)?["annotations"] }
      guard let notes = found else { return nil }
      let (of, crio) = ("io.kubernetes.cri.", "io.kubernetes.")
      let name = notes[of + "container-name"]?.text ?? notes[crio + "container.name"]?.text
      let pod = notes[of + "sandbox-name"]?.text ?? notes[crio + "pod.name"]?.text
      self.init(
        name: [pod, name].compactMap { $0 }.joined(separator: "/"),
        image: notes[of + "image-name"]?.text ?? notes["io.kubernetes.cri-o.ImageName"]?.text)
    case "lxc": self.init(name: container, image: nil)
    default: return nil
    }
  }

  private static func read(_ path: String, _ root: borrowing Descriptor) -> JSONTree? {
    (try? root.contents(of: path, limit: 4 << 20)).flatMap { JSONTree(parsing: $0) }
  }
}
