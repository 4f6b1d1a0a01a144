package doctor

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"github.com/kshalb/kshalb/internal/lab/labtest"
)

// binary is the path of kshalb, built by TestMain.
var binary string

// roleMark in the environment makes this program one of the lab's processes.
const roleMark = "KSHALB_DOCTOR_TEST_ROLE"

func TestMain(m *testing.M) {
	if role, is := os.LookupEnv(roleMark); is {
		if err := playHost(role); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	// Each look waits for more than three seconds, and costs next to nothing.
	if err := flag.Set("test.parallel", "8"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	labtest.Main(m, labtest.Build("cmd/kshalb", &binary))
}
