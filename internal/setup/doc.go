// Package setup makes a gateway's first configuration: fieldgate init. It asks for the broker,
// shows the broker's certificate, looks for sensors, tries each and the broker, and writes the
// configuration, the password and the certificate so that the service can read them. Who is asked,
// or what answers instead, is the Asker's affair; what opens hardware and connections is handed in.
//
// Nothing is changed before the end: what is tried before lies in a folder of its own beside the
// configuration. Then all files are there, or what was there before is.
package setup
