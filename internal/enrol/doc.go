// Package enrol gets a gateway an identity of its own from a platform, with a claim that may do
// nothing else: the key is made on the board, the platform signs a certificate for it and registers
// the gateway, and the gateway's own part of the configuration is written. A power cut at any
// moment is resumed. What a platform says on the wire is in a folder below this one; where files go
// and what is done in which order is here, and nowhere else.
//
// # Files
//
// All are in one directory, of mode 0700, inside of the state directory, where both the service,
// for which /etc is read-only, and root may write: device.key and device.pem, enrolled.toml
// (config.EnrolledFile), state.json and lock, of mode 0600. They belong to the owner of the state
// directory, also if root made them. state.json is the truth: what was answered is in it, and on
// the card, before the next request; the other files are made again from it.
//
// # Steps
//
//	(none)      the key is made, if there is none
//	signed      the platform signed a certificate; it is not valid yet, and its token lives an hour
//	registered  the platform registered the gateway, which made the certificate valid
//	proven      a connection with it worked
//	done        enrolled.toml is written, and the claim deleted as far as this user may
//
// What cannot be resumed: if the power fails between the platform's signature and the moment when
// that is on the card, a second certificate has to be asked for. The first was never valid, and the
// platform deletes it. If it fails while the registration is under way and comes back when the
// token has lived out, the first certificate may be valid: the log names it.
package enrol
