package mqtt

import (
	"context"
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Iteration counts of SCRAM: fewer are too weak (RFC 7677, 4), and a broker that asks for more
// would only keep the processor busy.
const (
	minIterations = 4096
	maxIterations = 1_000_000
)

// scram is the client of SCRAM-SHA-256 (RFC 5802, RFC 7677), without channel binding.
type scram struct {
	credentials func(context.Context) (Credentials, error)
	nonce       func() string

	step        scramStep
	password    string
	first       string // client-first-message-bare
	clientNonce string
	proof       []byte // the server signature to come
}

type scramStep int

const (
	scramStarted scramStep = iota + 1
	scramAnswered
	scramVerified
)

// SCRAMSHA256 authenticates with SCRAM-SHA-256 (RFC 7677). The password does not leave the machine,
// and the broker must prove that it knows the password too. credentials is called at the start of
// every exchange; only its Username and Password are used. User names and passwords with characters
// beyond ASCII must already be in the form that SASLprep (RFC 4013) makes.
//
// Config.Credentials may be nil. If the client is to re-authenticate before the credentials expire,
// Config.Credentials should return nothing but Expires: a user name and a password from there are
// sent in the CONNECT as they are.
func SCRAMSHA256(credentials func(ctx context.Context) (Credentials, error)) Authenticator {
	return &scram{credentials: credentials, nonce: rand.Text}
}

func (s *scram) Method() string { return "SCRAM-SHA-256" }

func (s *scram) Start(ctx context.Context) ([]byte, error) {
	who, err := s.credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("credentials: %w", err)
	}
	if who.Username == "" {
		return nil, errors.New("SCRAM needs a user name")
	}
	s.step, s.proof = scramStarted, nil
	s.password = string(who.Password)
	s.clientNonce = s.nonce()
	name := strings.NewReplacer("=", "=3D", ",", "=2C").Replace(who.Username)
	s.first = "n=" + name + ",r=" + s.clientNonce
	return []byte("n,," + s.first), nil
}

func (s *scram) Continue(_ context.Context, data []byte) ([]byte, error) {
	switch s.step {
	case scramStarted:
		return s.answer(string(data))
	case scramAnswered: // a broker that proves itself before it reports success
		return nil, s.verify(string(data))
	}
	return nil, errors.New("SCRAM: the broker goes on after the end")
}

func (s *scram) Done(_ context.Context, data []byte) error {
	if s.step == scramVerified && len(data) == 0 {
		return nil
	}
	return s.verify(string(data))
}

// answer returns the client-final-message to a server-first-message.
func (s *scram) answer(challenge string) ([]byte, error) {
	fields := strings.Split(challenge, ",")
	if len(fields) < 3 {
		return nil, errors.New("SCRAM: the broker's challenge is incomplete")
	}
	// a mandatory extension (m=) would come before it
	nonce, ok1 := strings.CutPrefix(fields[0], "r=")
	salt64, ok2 := strings.CutPrefix(fields[1], "s=")
	count, ok3 := strings.CutPrefix(fields[2], "i=")
	salt, err := base64.StdEncoding.DecodeString(salt64)
	if !ok1 || !ok2 || !ok3 || err != nil || len(salt) == 0 {
		return nil, errors.New("SCRAM: the broker's challenge is malformed")
	}
	if !strings.HasPrefix(nonce, s.clientNonce) || len(nonce) == len(s.clientNonce) {
		return nil, errors.New("SCRAM: the broker's nonce does not continue the client's")
	}
	iterations, err := strconv.Atoi(count)
	if err != nil || iterations < minIterations || iterations > maxIterations {
		return nil, fmt.Errorf("SCRAM: %.20q iterations, want %d to %d", count, minIterations, maxIterations)
	}

	salted, err := pbkdf2.Key(sha256.New, s.password, salt, iterations, sha256.Size)
	if err != nil {
		return nil, fmt.Errorf("SCRAM: %w", err)
	}
	final := "c=biws,r=" + nonce
	message := s.first + "," + challenge + "," + final
	clientKey := authCode(salted, "Client Key")
	stored := sha256.Sum256(clientKey)
	proof := make([]byte, sha256.Size)
	subtle.XORBytes(proof, clientKey, authCode(stored[:], message))
	s.proof = authCode(authCode(salted, "Server Key"), message)
	s.step = scramAnswered
	return []byte(final + ",p=" + base64.StdEncoding.EncodeToString(proof)), nil
}

// verify checks a server-final-message.
func (s *scram) verify(final string) error {
	if s.step != scramAnswered {
		return errors.New("SCRAM: the broker reports success too early")
	}
	verifier, ok := strings.CutPrefix(final, "v=")
	if !ok {
		return fmt.Errorf("SCRAM: the broker does not prove itself: %.80q", final)
	}
	verifier, _, _ = strings.Cut(verifier, ",")
	got, err := base64.StdEncoding.DecodeString(verifier)
	if err != nil || !hmac.Equal(got, s.proof) {
		return errors.New("SCRAM: the broker does not know the password")
	}
	s.step = scramVerified
	return nil
}

func authCode(key []byte, message string) []byte {
	h := hmac.New(sha256.New, key)
	h.Write([]byte(message))
	return h.Sum(nil)
}
