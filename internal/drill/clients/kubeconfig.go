package clients

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"

	"go.yaml.in/yaml/v3"
)

// Credentials are what a watch needs of a kubeconfig.
type Credentials struct {
	CA           *x509.CertPool
	ServerName   string // that the API server's certificate has to have
	Certificates []tls.Certificate
	Token        string
}

// kubeconfig is a part of the Config of client-go, tools/clientcmd/api/v1/types.go.
type kubeconfig struct {
	Current  string `yaml:"current-context"`
	Contexts []kubeContext
	Clusters []struct {
		Name    string
		Cluster struct {
			Server     string
			CAFile     string `yaml:"certificate-authority"`
			CAData     string `yaml:"certificate-authority-data"`
			ServerName string `yaml:"tls-server-name"`
		}
	}
	Users []struct {
		Name string
		User struct {
			CertFile  string `yaml:"client-certificate"`
			CertData  string `yaml:"client-certificate-data"`
			KeyFile   string `yaml:"client-key"`
			KeyData   string `yaml:"client-key-data"`
			Token     string
			TokenFile string `yaml:"tokenFile"`
		}
	}
}

type kubeContext struct {
	Name    string
	Context struct{ Cluster, User string }
}

// LoadKubeconfig reads the current context's credentials. What runs a program to get
// some is not followed.
func LoadKubeconfig(path string) (*Credentials, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var k kubeconfig
	if err := yaml.Unmarshal(text, &k); err != nil {
		return nil, fmt.Errorf("%s is no kubeconfig%s", path, lineOf(err))
	}
	c, err := k.credentials(filepath.Dir(path))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return c, nil
}

var yamlLine = regexp.MustCompile(`line \d+`)

// lineOf is all that is told of a mistake: the parser's own words have what stands
// there, which may be a token.
func lineOf(err error) string {
	if line := yamlLine.FindString(err.Error()); line != "" {
		return ", at " + line
	}
	return ""
}

func (k kubeconfig) credentials(dir string) (*Credentials, error) {
	i := slices.IndexFunc(k.Contexts, func(c kubeContext) bool { return c.Name == k.Current })
	if i < 0 {
		return nil, fmt.Errorf("the current context %q is not there", k.Current)
	}
	at := k.Contexts[i].Context
	var c Credentials
	if err := errors.Join(k.server(&c, at.Cluster, dir), k.user(&c, at.User, dir)); err != nil {
		return nil, err
	}
	return &c, nil
}

// server takes whom to believe.
func (k kubeconfig) server(c *Credentials, name, dir string) error {
	for _, named := range k.Clusters {
		if named.Name != name {
			continue
		}
		pem, err := content(dir, named.Cluster.CAFile, named.Cluster.CAData)
		if err != nil || len(pem) == 0 {
			return errors.Join(fmt.Errorf("cluster %s: needs certificate-authority or certificate-authority-data", name), err)
		}
		c.CA = x509.NewCertPool()
		if !c.CA.AppendCertsFromPEM(pem) {
			return fmt.Errorf("cluster %s: its certificate authority has no certificate in PEM form", name)
		}
		c.ServerName = named.Cluster.ServerName
		if u, err := url.Parse(named.Cluster.Server); c.ServerName == "" && err == nil {
			c.ServerName = u.Hostname()
		}
		return nil
	}
	return fmt.Errorf("the cluster %q is not there", name)
}

// user takes who to be.
func (k kubeconfig) user(c *Credentials, name, dir string) error {
	for _, named := range k.Users {
		if named.Name != name {
			continue
		}
		u := named.User
		cert, certErr := content(dir, u.CertFile, u.CertData)
		key, keyErr := content(dir, u.KeyFile, u.KeyData)
		token, tokenErr := content(dir, u.TokenFile, "")
		if err := errors.Join(certErr, keyErr, tokenErr); err != nil {
			return fmt.Errorf("user %s: %w", name, err)
		}
		if c.Token = u.Token; c.Token == "" {
			c.Token = string(token)
		}
		if len(cert) == 0 && c.Token == "" {
			return fmt.Errorf("user %s: has neither a client certificate nor a token (others are not read)", name)
		}
		if len(cert) > 0 {
			pair, err := tls.X509KeyPair(cert, key)
			if err != nil {
				return fmt.Errorf("user %s: client certificate: %w", name, err)
			}
			c.Certificates = []tls.Certificate{pair}
		}
		return nil
	}
	return fmt.Errorf("the user %q is not there", name)
}

// content is of a file, or what stands there in base64.
func content(dir, file, data string) ([]byte, error) {
	if data != "" {
		return base64.StdEncoding.DecodeString(data)
	}
	if file == "" {
		return nil, nil
	}
	if !filepath.IsAbs(file) {
		file = filepath.Join(dir, file)
	}
	return os.ReadFile(file)
}
