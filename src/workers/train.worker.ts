/** Entry point of the training worker. */
import { engineBackend } from "./engine-backend.ts";
import { serveTraining } from "./serve-training.ts";

serveTraining(engineBackend());
