package admin

import (
	"strings"

	"fairshare/plugin/tenant"
)

// A Route is one thing that the management API does.
type Route struct {
	Path   string // as LiteLLM names it
	Method string // the only one it has
	// Own is that a virtual key may use it, for what concerns itself.
	Own bool

	op  op
	key string // of a path that has {key}
}

type op uint8

// In the order of paths.
const (
	keyGenerate op = iota
	keyUpdate
	keyDelete
	keyInfo
	keyList
	keyBlock
	keyUnblock
	keyRegenerate
	userNew
	userInfo
	userUpdate
	userDelete
	userList
	teamNew
	teamInfo
	teamUpdate
	teamDelete
	teamList
	teamBlock
	teamUnblock
	memberAdd
	memberUpdate
	memberDelete
	customerNew
	customerInfo
	customerUpdate
	customerDelete
	customerList
	customerBlock
	customerUnblock
	budgetNew
	budgetInfo
	budgetUpdate
	budgetDelete
	budgetList
	modelInfo
	modelGroupInfo
	globalSpend
	spendKeys
	spendUsers
	spendTeams
	spendCalculate
)

const paths = "POST /key/generate\nPOST /key/update\nPOST /key/delete\nGET /key/info\nGET /key/list\nPOST /key/block\nPOST /key/unblock\nPOST /key/regenerate\n" +
	"POST /user/new\nGET /user/info\nPOST /user/update\nPOST /user/delete\nGET /user/list\n" +
	"POST /team/new\nGET /team/info\nPOST /team/update\nPOST /team/delete\nGET /team/list\nPOST /team/block\nPOST /team/unblock\n" +
	"POST /team/member_add\nPOST /team/member_update\nPOST /team/member_delete\n" +
	"POST /customer/new\nGET /customer/info\nPOST /customer/update\nPOST /customer/delete\nGET /customer/list\nPOST /customer/block\nPOST /customer/unblock\n" +
	"POST /budget/new\nPOST /budget/info\nPOST /budget/update\nPOST /budget/delete\nGET /budget/list\n" +
	"GET /model/info\nGET /model_group/info\n" +
	"GET /global/spend\nGET /spend/keys\nGET /spend/users\nGET /spend/teams\nPOST /spend/calculate"

// Find returns the route of a path without query, false if the management API
// has none there. /end_user/… is /customer/…, as in LiteLLM, and
// /key/{key}/regenerate has the key or its hash in it.
func Find(path string) (Route, bool) {
	named := path
	key := ""
	switch middle, ok := strings.CutSuffix(path, "/regenerate"); {
	case ok && len(middle) > len("/key/") && middle[:len("/key/")] == "/key/":
		key, named = middle[len("/key/"):], "/key/regenerate"
	case strings.HasPrefix(path, "/end_user/"):
		named = "/customer/" + path[len("/end_user/"):]
	case path == "/v1/model/info":
		named = path[len("/v1"):]
	}
	rest := paths
	for o := op(0); rest != ""; o++ {
		var line string
		line, rest, _ = strings.Cut(rest, "\n")
		if method, it, _ := strings.Cut(line, " "); it == named {
			if key != "" {
				path = "/key/{key}/regenerate" // no key in messages
			}
			return Route{Path: path, Method: method, Own: o == keyInfo, op: o, key: key}, true
		}
	}
	return Route{}, false
}

// run does what a route is for.
func (j *job) run(r Route) {
	switch r.op {
	case keyGenerate:
		j.generateKey()
	case keyUpdate:
		j.updateKey()
	case keyDelete:
		j.deleteKeys()
	case keyInfo:
		j.keyInfo()
	case keyList:
		j.listKeys()
	case keyBlock, keyUnblock:
		j.blockKey(r.op == keyBlock)
	case keyRegenerate:
		j.regenerateKey(r.key)
	case userNew:
		j.newUser()
	case userInfo:
		j.userInfo()
	case userUpdate:
		j.updateUser()
	case userDelete:
		j.deleteUsers()
	case userList:
		j.listUsers()
	case teamNew:
		j.newTeam()
	case teamInfo:
		j.teamInfo()
	case teamUpdate:
		j.updateTeam()
	case teamDelete:
		j.deleteTeams()
	case teamList:
		j.listTeams()
	case teamBlock, teamUnblock:
		j.blockTeam(r.op == teamBlock)
	case memberAdd:
		j.addMembers()
	case memberUpdate:
		j.updateMember()
	case memberDelete:
		j.deleteMember()
	case customerNew:
		j.newCustomer()
	case customerInfo:
		j.customerInfo()
	case customerUpdate:
		j.updateCustomer()
	case customerDelete:
		j.deleteCustomers()
	case customerList:
		j.list(tenant.Customer)
	case customerBlock, customerUnblock:
		j.blockCustomers(r.op == customerBlock)
	case budgetNew:
		j.newBudget()
	case budgetInfo:
		j.budgetInfo()
	case budgetUpdate:
		j.updateBudget()
	case budgetDelete:
		j.deleteBudget()
	case budgetList:
		j.list(tenant.Budget)
	case modelInfo:
		j.modelInfo()
	case modelGroupInfo:
		j.modelGroupInfo()
	case globalSpend:
		j.globalSpend()
	case spendKeys:
		j.spendOf(tenant.Key, "api_key")
	case spendUsers:
		j.spendOf(tenant.User, "user_id")
	case spendTeams:
		j.spendOf(tenant.Team, "team_id")
	case spendCalculate:
		j.calculateSpend()
	}
}
