package wiregen

import "github.com/muster-iot/muster/internal/wiregen/model"

// Load returns the model of one service (see model.Load) with the changes that
// Muster's contract makes on purpose. The caller owns the result.
func Load(service string) (*model.API, error) {
	api, err := model.Load(service)
	if err != nil {
		return nil, err
	}
	patch(service, api)
	return api, nil
}
