// The door of the library: a program imports `PortwhyKit` and has the questions, the answers and the values they are made
// of, whichever module behind the door they live in. What is not `public` there stays inside the package.
@_exported public import Answers
@_exported public import BindRules
@_exported public import Explanation
@_exported public import PortwhyReport
@_exported public import SocketModel
