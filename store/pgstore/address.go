package pgstore

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
)

// Address is where a database is and who asks for it, without the password. The zero Address
// names no database.
type Address struct {
	user, database string
	hosts          []string // each with its port, in the order in which they are tried
	password       bool
}

// CheckAddress returns the address in a text that Options.Database takes, with what the
// environment and the service file add to it. Its error repeats nothing of a text that may
// contain a password.
func CheckAddress(text string) (Address, error) {
	c, err := pgx.ParseConfig(text)
	switch {
	case err == nil:
	case mayHoldPassword.MatchString(text):
		// pgx hides the passwords that it recognizes, which is not every one in a text that it cannot read
		return Address{}, errors.New("it is neither a postgres:// URL nor a text of key=value pairs that can be used; " +
			"it may contain a password, so it is not shown, nor what is wrong with it")
	default:
		return Address{}, err
	}
	a := Address{user: c.User, database: c.Database, password: hasPassword(text)}
	a.add(c.Host, c.Port)
	for _, f := range c.Fallbacks {
		a.add(f.Host, f.Port)
	}
	return a, nil
}

// add adds a host, unless it is there: one that is tried with and without TLS comes twice.
func (a *Address) add(host string, port uint16) {
	if h := net.JoinHostPort(host, strconv.Itoa(int(port))); !slices.Contains(a.hosts, h) {
		a.hosts = append(a.hosts, h)
	}
}

// HasPassword reports whether the text itself contains a password, for the user or for the
// key of a TLS certificate. One that comes from a password file, a service file or the
// environment is not in the text.
func (a Address) HasPassword() bool { return a.password }

// String returns user, hosts and database, for logs and errors.
func (a Address) String() string {
	return fmt.Sprintf("%s@%s/%s", a.user, strings.Join(a.hosts, ","), a.database)
}

var (
	// mayHoldPassword matches every text with a password, and some without: "%" may hide
	// the word in a URL.
	mayHoldPassword = regexp.MustCompile(`(?is)passw|%|://.*:.*@`)
	passwordPair    = regexp.MustCompile(`(?i)password\s*=`)
)

// hasPassword is HasPassword of a text that pgx understands.
func hasPassword(text string) bool {
	if passwordPair.MatchString(text) {
		return true
	}
	u, err := url.Parse(text)
	if err != nil || !strings.Contains(text, "://") {
		return false
	}
	password, _ := u.User.Password()
	for key := range u.Query() {
		if passwordPair.MatchString(key + "=") {
			return true
		}
	}
	return password != ""
}
