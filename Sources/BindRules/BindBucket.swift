import SocketModel

/// Whether the caches of the bind bucket may let `sk` pass although an owner stands in the way.
///
/// Kernel function `sk_reuseport_match`: the bucket remembers user and address of the last SO_REUSEPORT socket that
/// was bound, and lets the next one of that user and address pass without looking at the owners. What it remembers
/// depends on sockets that may have gone and on flags that may have changed since, so no snapshot of the sockets
/// rules it out: whatever stands in the way now can have had SO_REUSEPORT and the same user, or SO_REUSEADDR before
/// it listened, while a socket just like `sk` was bound, which the bucket still remembers as long as one owner is
/// left. BindOrderTests has two histories for each kind of owner.
func bindBucketMayGrant(_ sk: KernelSocket, _ snapshot: Snapshot) -> Bool {
  if sk.reuseport { return true }
  return sk.reuse && KernelTraits(snapshot.host.kernel).hasReuseaddrShortcut
}
