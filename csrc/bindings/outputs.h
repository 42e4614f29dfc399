// Outputs: from what a callable returned to the tensors of responses.
//
// Results that are as the model declares them (a dict of contiguous arrays of the right type) are
// taken as they are; everything else goes through the binding once, which converts or raises.
// Large arrays that nobody else can write are sent from numpy's own memory, others are copied.
// Thread rule: all functions need the interpreter lock; the tensors they give don't.
#pragma once

#include <memory>
#include <vector>

#include "bindings/cuda_tensor.h"
#include "bindings/py_model.h"

namespace pt::bindings {

struct TakenArray {
  int index = 0;  // into the model's outputs
  PyRef array;    // contiguous, of the declared type (BYTES: kind O, S or U); null: on a device
  std::unique_ptr<CudaTensor> device;  // rare, so only a word here
};

// Outputs of one call for `rows` rows; any number of rows when negative. Empty, with a Python error
// set, when the result is not acceptable. Drops `result`.
bool TakeRows(const PyModel& model, PyRef result, int64_t rows, std::vector<TakenArray>* taken);

// Outputs of a list with one dict for each of `count` requests; as TakeRows.
bool TakeList(const PyModel& model, PyRef result, size_t count,
              std::vector<std::vector<TakenArray>>* taken);

// Tensors over the arrays, in their order; of device memory only those that the request takes so.
// False, with a Python error set, when an element can't be encoded or there is no memory.
bool MakeTensors(const PyModel& model, const InferRequest& request, std::vector<TakenArray>* taken,
                 OutputTensors* tensors);

// As MakeTensors, and deals the rows to the requests of the batch in order.
bool DealRows(const PyModel& model, std::vector<TakenArray>* taken, Batch* batch);

// Only those tensors that the request wants.
void KeepWanted(const InferRequest& request, OutputTensors* tensors);

}  // namespace pt::bindings
