// Package interop has nothing but tests: other clients of the API of OpenAI, each over
// a transport of openinference.NewTransport, against a mock. It is a module of its own, so
// that nobody who uses the library gets their dependencies.
package interop
