/**
 * The step graph: a list of op nodes in execution order over SSA tensors. Model code builds it, autodiff appends the
 * backward half, lowering turns it into kernel calls. No GPU here.
 */
import { invariant } from "../../errors.ts";
import { bindOp, type BoundOp, type OpDef, type OutputSpec, type TensorMap } from "./op.ts";
import { elementCount, rootOf, type DType, type Tensor, type TensorRole } from "./tensor.ts";
import { viewOp } from "./view.ts";

export interface GraphNode {
  readonly id: number;
  readonly op: BoundOp;
  readonly inputs: TensorMap;
  readonly outputs: readonly Tensor[];
  /** Tensors that the node adds to in place (adapter gradients). */
  readonly accumulates: TensorMap;
  /** Checkpoint region, if the node is inside one. */
  readonly region: number | undefined;
  readonly specs: readonly OutputSpec[];
  /** Module path for profiles and errors. */
  readonly scope: string;
}

/** A trainable tensor and the place where its gradient is summed. */
export interface Param {
  readonly value: Tensor;
  readonly grad: Tensor;
}

/** Where a weight comes from, in terms of checkpoint keys. */
export interface WeightSource {
  /** Concatenated along dimension 0. A part may be a row range of a stored tensor. */
  readonly parts: readonly { readonly key: string; readonly rowStart?: number; readonly rows?: number }[];
  /** `oihw`: stored convolution weight, repacked to [out][kh][kw][in] with `in` zero-padded to a multiple of 4. */
  readonly layout: "rows" | "oihw";
  /** The tensor has rows behind the stored ones, which stay zero (three output channels run as four). */
  readonly isZeroPadded?: boolean;
}

/** How activations and their gradients are stored. Kernels compute in f32 whatever it is. */
export type ActivationType = "f32" | "f16" | "bf16";

export interface GraphStorage {
  /** f32 where absent. */
  readonly activations?: ActivationType | undefined;
  /** Frozen matrices and convolutions; f16 where absent. f8 is float8_e4m3fn. */
  readonly matrices?: MatrixType | undefined;
}

export type MatrixType = "f16" | "f8";

export class Graph {
  /** How frozen matrices and convolutions are stored. */
  readonly matrices: MatrixType;
  readonly nodes: GraphNode[] = [];
  readonly tensors: Tensor[] = [];
  readonly params: Param[] = [];
  /** Everything that is loaded from the checkpoint: frozen weights, and trained ones as they start. */
  readonly weights = new Map<Tensor, WeightSource>();
  /** Temps that must survive to the end of the step so that the CPU can read them (tests, samples). */
  readonly kept = new Set<Tensor>();
  readonly differentiableInputs = new Set<Tensor>();
  readonly #producers = new Map<Tensor, GraphNode>();
  readonly #residents = new Map<string, Tensor>();
  readonly #gradOf = new Map<Tensor, Tensor>();
  #region: number | undefined;
  #regionCount = 0;
  #scope: string[] = [];
  readonly #activations: ActivationType;

  constructor({ activations = "f32", matrices = "f16" }: GraphStorage = {}) {
    this.matrices = matrices;
    this.#activations = activations;
  }

  tensor(role: TensorRole, shape: readonly number[], dtype: DType, name: string, pool = role as string): Tensor {
    invariant(shape.every((d) => Number.isInteger(d) && d > 0), `bad shape [${shape.join(",")}] for ${name}`);
    if (role !== "temp") {
      const existing = this.#residents.get(name);
      if (existing !== undefined) {
        invariant(
          existing.role === role && elementCount(existing.shape) === elementCount(shape),
          `resident ${name} declared twice with different shapes`,
        );
        return existing;
      }
    }
    const tensor: Tensor = { id: this.tensors.length, role, shape, dtype, name, pool };
    this.tensors.push(tensor);
    if (role !== "temp") this.#residents.set(name, tensor);
    return tensor;
  }

  /** A value that the CPU writes before each step. `differentiable`: tests may ask for its gradient. */
  input(name: string, shape: readonly number[], options: { dtype?: DType; differentiable?: boolean } = {}): Tensor {
    const tensor = this.tensor("input", shape, options.dtype ?? "f32", name, "inputs");
    if (options.differentiable === true) this.differentiableInputs.add(tensor);
    return tensor;
  }

  /** A frozen base weight. */
  weight(name: string, shape: readonly number[], dtype: MatrixType | "f32", source: WeightSource): Tensor {
    const tensor = this.tensor("weight", shape, dtype, name, "weights");
    this.weights.set(tensor, source);
    return tensor;
  }

  /** A trainable f32 tensor in the pool of its parameter group. */
  param(name: string, shape: readonly number[], group: string): Param {
    const value = this.tensor("param", shape, "f32", name, `params/${group}`);
    const known = this.#gradOf.get(value);
    if (known !== undefined) return { value, grad: known };
    const grad = this.tensor("grad", shape, "f32", `grad/${name}`, `grads/${group}`);
    this.#gradOf.set(value, grad);
    const param = { value, grad };
    this.params.push(param);
    return param;
  }

  /** A weight of the checkpoint that is trained itself. */
  trainedWeight(name: string, shape: readonly number[], group: string, source: WeightSource): Tensor {
    const { value } = this.param(name, shape, group);
    this.weights.set(value, source);
    return value;
  }

  /** A small result read back by the CPU. */
  output(name: string, shape: readonly number[], dtype: DType = "f32"): Tensor {
    return this.tensor("output", shape, dtype, name, "outputs");
  }

  gradOf(param: Tensor): Tensor {
    const grad = this.#gradOf.get(param);
    invariant(grad !== undefined, `${param.name} is not a parameter`);
    return grad;
  }

  /** The same data under another shape; costs nothing. */
  view(tensor: Tensor, shape: readonly number[]): Tensor {
    invariant(
      elementCount(shape) === elementCount(tensor.shape),
      `cannot view ${tensor.name} [${tensor.shape.join(",")}] as [${shape.join(",")}]`,
    );
    const view: Tensor = { ...rootOf(tensor), id: this.tensors.length, shape, viewOf: rootOf(tensor) };
    this.tensors.push(view);
    this.addBound(bindOp(viewOp, { shape }), { x: tensor }, { outputs: [view] });
    return view;
  }

  /** Marks a temp as readable after the step. */
  keep(tensor: Tensor): void {
    this.kept.add(tensor);
  }

  add<A>(op: OpDef<A>, inputs: Readonly<Record<string, Tensor | undefined>>, attrs: A): readonly Tensor[] {
    return this.addBound(bindOp(op, attrs), inputs);
  }

  addBound(
    op: BoundOp,
    inputs: Readonly<Record<string, Tensor | undefined>>,
    options: { accumulates?: TensorMap; outputs?: readonly Tensor[] } = {},
  ): readonly Tensor[] {
    const present: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(inputs)) if (tensor !== undefined) present[name] = tensor;
    const specs: readonly OutputSpec[] = op.outputs({ ...present, ...options.accumulates });
    const scope = this.#scope.join(".");
    const outputs =
      options.outputs ??
      specs.map((spec, i) =>
        this.tensor("temp", spec.shape, this.#storedAs(spec), `${scope}/${op.kind}${i === 0 ? "" : `.${i}`}`),
      );
    const node: GraphNode = {
      id: this.nodes.length,
      op,
      inputs: present,
      outputs,
      accumulates: options.accumulates ?? {},
      region: this.#region,
      specs,
      scope,
    };
    this.nodes.push(node);
    for (const output of outputs) this.#producers.set(output, node);
    return outputs;
  }

  /** Only what is large is stored small: vectors of a sample stay f32, and so do latents, which have four channels. */
  #storedAs({ dtype = "f32", shape }: OutputSpec): DType {
    if (dtype !== "activation") return dtype;
    const channels = shape.at(-1) ?? 0;
    return shape.length >= 3 && channels > 4 && channels % 4 === 0 ? this.#activations : "f32";
  }

  /** Node that produced a temp; undefined for residents. */
  producer(tensor: Tensor): GraphNode | undefined {
    return this.#producers.get(tensor);
  }

  /** Names the module that is being built. */
  scope<T>(name: string, build: () => T): T {
    this.#scope.push(name);
    try {
      return build();
    } finally {
      this.#scope.pop();
    }
  }

  /** Everything built inside is one checkpoint region: with checkpointing on, only what leaves it is kept. */
  region<T>(checkpoint: boolean, build: () => T): T {
    if (!checkpoint) return build();
    invariant(this.#region === undefined, "checkpoint regions do not nest");
    this.#region = this.#regionCount++;
    try {
      return build();
    } finally {
      this.#region = undefined;
    }
  }
}
