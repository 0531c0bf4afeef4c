package gateway

import (
	"go/ast"
	"go/parser"
	"go/token"
	"reflect"
	"testing"

	"github.com/fieldgate/fieldgate/internal/health"
)

// TestEveryFigureIsGiven: figures, in report.go, sets each member of health.Figures.
func TestEveryFigureIsGiven(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "report.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	given := map[string]bool{}
	for _, d := range file.Decls {
		fn, ok := d.(*ast.FuncDecl)
		if !ok || fn.Name.Name != "figures" {
			continue
		}
		ast.Inspect(fn, func(n ast.Node) bool {
			switch n := n.(type) {
			case *ast.KeyValueExpr:
				if key, ok := n.Key.(*ast.Ident); ok {
					given[key.Name] = true
				}
			case *ast.AssignStmt:
				for _, to := range n.Lhs {
					if s, ok := to.(*ast.SelectorExpr); ok {
						given[s.Sel.Name] = true
					}
				}
			}
			return true
		})
	}
	for _, f := range reflect.VisibleFields(reflect.TypeFor[health.Figures]()) {
		if !given[f.Name] {
			t.Errorf("figures does not set %s", f.Name)
		}
	}
}
