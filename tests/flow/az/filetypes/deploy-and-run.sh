# One endpoint in a workspace of its own, left standing; a job of a single file, and one that fails.
# Expects here: deployment.yml, environment.yml, classify.py, files/
set -e

if command -v az > /dev/null
then
  az --version > /dev/null
  az account set --subscription "the-subscription"
  az extension add -n ml -y
  az configure --defaults group="the-group" workspace="the-workspace" location="westeurope"
  az ml workspace show --query name -o tsv
fi

az ml environment create --file environment.yml
az ml compute create -f /dev/stdin <<'YAML'
name: batch-cluster
type: amlcompute
size: STANDARD_DS3_v2
min_instances: 0
max_instances: 2
YAML

echo "== endpoint and deployment"
az ml batch-endpoint create --name filetypes --set description="What is each file?" tags.kind=neural
az ml batch-deployment create --file deployment.yml --endpoint-name filetypes --set settings.mini_batch_size=2 --set-default
az ml batch-deployment show --name magika --endpoint-name filetypes --query mini_batch_size

echo "== a job of one file"
JOB_NAME=$(az ml batch-endpoint invoke --name filetypes --input files/one.py --input-type uri_file --query name -o tsv)
az ml job stream -n $JOB_NAME
az ml job download --name $JOB_NAME --output-name score --download-path out
cat out/named-outputs/score/predictions.csv

echo "== a job that cannot go well"
az ml batch-deployment update --name magika --endpoint-name filetypes --set settings.environment_variables.OMP_NUM_THREADS=none
JOB_NAME=$(az ml batch-endpoint invoke --name filetypes --input files --query name -o tsv)
if az ml job stream -n $JOB_NAME
then
  echo "it should have failed"
  exit 1
fi
az ml job show -n $JOB_NAME --query status -o tsv

echo "== its default is taken back"
az ml batch-endpoint update --name filetypes --set description="out of order"
az ml batch-endpoint list --query "[].{Name:name, Words:description}" --output table
az ml job archive --name $JOB_NAME
echo "done"
